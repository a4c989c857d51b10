/** A slot that is being opened. Nothing is dialled: it is there a moment later, and the runtime connects with its request. */
import type { Opening, OpeningHost } from "../connection.ts"
import { FetchConnection, type SlotOptions } from "./fetchConnection.ts"
import { queueMicrotask } from "../../util/timers.ts"

export class FetchOpening implements Opening {
  readonly #host: OpeningHost
  readonly #options: SlotOptions
  #isCancelled = false

  constructor(host: OpeningHost, options: SlotOptions) {
    this.#host = host
    this.#options = options
  }

  start(): void {
    // Not now: the pool is still about to note this opening.
    queueMicrotask(() => {
      if (this.#isCancelled) this.#host.closed()
      else this.#host.opened(this, new FetchConnection(this.#host, this.#options))
    })
  }

  cancel(): void {
    this.#isCancelled = true
  }
}
