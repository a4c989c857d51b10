/** A request and its answer that meet in memory: the pool's side of it is a promise, the sandbox's an exchange. */
import { Readable } from "node:stream"
import type { Connection, Exchange, Headers } from "../sandbox/exchange.ts"
import { WireError } from "../wire/errors.ts"
import type { WireRequest, WireResponse } from "../http/types.ts"
import { MemoryBody } from "./memoryBody.ts"
import { queueMicrotask } from "../util/timers.ts"

const bytes = (chunk: string | Uint8Array): Uint8Array => (typeof chunk === "string" ? Buffer.from(chunk) : chunk)

const readable = (body: WireRequest["body"]): Readable => {
  if (body === undefined) return Readable.from([])
  if (typeof body === "string" || body instanceof Uint8Array) return Readable.from([Buffer.from(body)])
  return Readable.from(body.open())
}

export class MemoryExchange implements Exchange {
  readonly method: string
  readonly url: string
  readonly connection: Connection
  body: Readable
  readonly answer: Promise<WireResponse>
  status: number | undefined
  readonly #headers: Readonly<Record<string, string>>
  readonly #out: MemoryBody
  #answered!: (response: WireResponse) => void
  #failed!: (error: WireError) => void
  #onClose: Array<(aborted: number | "socket" | undefined) => void> = []
  #open = true

  constructor(request: WireRequest, headers: Readonly<Record<string, string>>, connection: Connection) {
    this.method = request.method
    this.url = request.path
    this.connection = connection
    this.body = readable(request.body)
    this.#headers = headers
    this.#out = new MemoryBody(() => this.#close("socket"))
    this.answer = new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
    })
  }
  /** Has the request's body read once more. */
  replay(text: string): void {
    this.body = Readable.from([Buffer.from(text)])
  }
  header(name: string): string | undefined {
    return this.#headers[name]
  }
  isOpen(): boolean {
    return this.#open
  }
  head(status: number, headers: Headers): void {
    this.status = status
    this.#answered({ status, headers: Object.entries(headers), body: this.#out })
  }
  write(chunk: string | Uint8Array, done?: () => void): void {
    this.#out.push(bytes(chunk))
    if (done !== undefined) queueMicrotask(done)
  }
  end(chunk?: string | Uint8Array): void {
    if (chunk !== undefined) this.#out.push(bytes(chunk))
    this.#out.end()
    this.#close(undefined)
  }
  /** Before the head its outcome is unknown. */
  reset(): void {
    this.#cut(new WireError("Connection", this.status === undefined ? "maybe" : "yes", "the connection was reset"))
  }
  goAway(): void {
    // There is no connection that others could be on.
  }
  garble(): void {
    this.#cut(new WireError("Malformed", "maybe", "the response is not HTTP/1.1"))
  }
  onClose(f: (aborted: number | "socket" | undefined) => void): void {
    this.#onClose.push(f)
  }
  /** The client gives it up. */
  abort(error: WireError): void {
    if (!this.#open) return
    this.#failed(error)
    this.#out.end(error)
    this.#close("socket")
  }
  #cut(error: WireError): void {
    this.#failed(error)
    this.#out.end(error)
    this.#close(undefined)
  }
  #close(aborted: number | "socket" | undefined): void {
    if (!this.#open) return
    this.#open = false
    // As of a socket: never in the turn of what ended it.
    queueMicrotask(() => {
      for (const f of this.#onClose.splice(0)) f(aborted)
    })
  }
}
