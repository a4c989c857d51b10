/** Waits of a client's requests for anything but a socket, which the closing of the client ends. */
import type { PoolError } from "../../ClientError.ts"

export class Waits {
  // No one signal for all: what joins a signal is held by it for as long as it lives.
  readonly #waiters = new Set<AbortController>()
  #closed: PoolError | undefined

  add(waiter: AbortController): void {
    this.#waiters.add(waiter)
    if (this.#closed !== undefined) waiter.abort(this.#closed)
  }

  delete(waiter: AbortController): void {
    this.#waiters.delete(waiter)
  }

  /** Aborts all, and those that come later. */
  close(error: PoolError): void {
    this.#closed = error
    for (const waiter of this.#waiters) waiter.abort(error)
  }
}
