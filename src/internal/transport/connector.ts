/** A lane that is being opened: the dial, the protocol that ALPN chose, and the first SETTINGS, all in one time limit. */
import type { Socket } from "node:net"
import { WireError } from "../wire/errors.ts"
import { dial, type Route } from "./dial.ts"
import { H1Connection } from "./h1/connection.ts"
import { H2Connection } from "./h2/connection.ts"
import type { Connection, Opening, OpeningHost } from "./connection.ts"
import type { Settings } from "./options.ts"
import { MAX_TIMEOUT_MS, clearTimeout, setImmediate, setTimeout } from "../util/timers.ts"

export class SocketOpening implements Opening {
  readonly #host: OpeningHost
  readonly #settings: Settings
  readonly #route: Route
  #base: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #over = false

  constructor(host: OpeningHost, settings: Settings, route: Route) {
    this.#host = host
    this.#settings = settings
    this.#route = route
  }

  start(protocol: Connection["protocol"] | undefined): void {
    const { connectTimeout } = this.#settings
    if (connectTimeout <= MAX_TIMEOUT_MS) {
      this.#timer = setTimeout(() => {
        this.#fail(
          new WireError("Timeout", "no", `not connected to ${this.#settings.origin} within ${connectTimeout} ms`)
        )
      }, connectTimeout).unref()
    }
    try {
      this.#base = dial(this.#route, this.#alpn(protocol), (error, socket) => {
        if (socket === undefined) this.#fail(error)
        else this.#connected(socket)
      }).base
      this.#base.once("close", this.#host.closed)
    } catch (error) {
      // A certificate that is none, an impossible port. Not now: the pool is still about to note this opening.
      setImmediate(() => {
        this.#fail(error)
        this.#host.closed()
      })
    }
  }

  cancel(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#base?.destroy()
  }

  /** ALPN protocols to offer; `undefined` for none. */
  #alpn(protocol: Connection["protocol"] | undefined): Array<string> | undefined {
    const { http2, url } = this.#settings
    if (url.protocol === "http:") return undefined
    return http2 === false || protocol === "http/1.1" ? ["http/1.1"] : ["h2", "http/1.1"]
  }

  #connected(socket: Socket): void {
    if (this.#over) return void socket.destroy()
    const alpn = "alpnProtocol" in socket ? socket.alpnProtocol : false
    const { http2, origin, url } = this.#settings
    if (alpn === "h2" || (http2 === "prior-knowledge" && url.protocol === "http:")) {
      const lane = new H2Connection(this.#host, origin, socket, this.#settings, (error) => {
        if (error === undefined) this.#opened(lane)
        else this.#fail(error)
      })
    } else this.#opened(new H1Connection(this.#host, url, socket, this.#settings))
  }

  #opened(lane: Connection): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#host.opened(this, lane)
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.cancel()
    this.#host.failed(this, error)
  }
}
