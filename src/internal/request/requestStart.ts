/** A request that came while agents stand in line: it waits behind them, for its own place in the queues below. */
import { queueTimedOut } from "../quota/turnedAway.ts"
import type { Ticker } from "../util/ticker.ts"
import type { Start, StartBounds, Starter, StartQueue } from "./startQueue.ts"

/** Conditions of the wait. */
export interface StartTerms {
  readonly order: number
  /** Milliseconds that its call has waited before it started early. */
  readonly waitedMs: number
  readonly signal: AbortSignal
  /** Milliseconds, `Infinity` for as long as it takes. */
  readonly timeout: number
  /** `undefined` for a request whose call has had a place in line. */
  readonly bounds: StartBounds | undefined
  readonly ticker: Ticker
}

class RequestStarter implements Starter {
  readonly order: number
  readonly since: number
  readonly isAgent = false
  isWaiting = false
  waitsFor: Starter["waitsFor"] = "socket"
  readonly #queue: StartQueue
  readonly #signal: AbortSignal
  readonly #resolve: (start: Start) => void
  readonly #reject: (error: unknown) => void
  #cancel: (() => void) | undefined

  constructor(
    queue: StartQueue,
    { bounds, order, signal, ticker, timeout, waitedMs }: StartTerms,
    resolve: (start: Start) => void,
    reject: (error: unknown) => void
  ) {
    this.#queue = queue
    this.order = order
    this.since = ticker.now() - waitedMs
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    const refusal = signal.aborted ? signal.reason : queue.join(this, bounds)
    if (refusal !== undefined) {
      this.fail(refusal)
      return
    }
    signal.addEventListener("abort", this, { once: true })
    if (timeout !== Infinity) this.#cancel = ticker.after(Math.max(0, timeout - waitedMs), this.#late)
  }

  /** The signal of the request ends its wait when the client closes. */
  get owner(): object {
    return this
  }

  isQueued(): boolean {
    return this.isWaiting
  }

  start(start: Start): void {
    this.#end()
    this.#resolve(start)
  }

  fail(error: unknown): void {
    this.#end()
    this.#reject(error)
  }

  handleEvent(): void {
    this.#giveUp(this.#signal.reason)
  }

  readonly #late = (): void => this.#giveUp(queueTimedOut())

  #giveUp(error: unknown): void {
    if (!this.isWaiting) return
    this.#queue.leave(this)
    this.fail(error)
  }

  #end(): void {
    this.#signal.removeEventListener("abort", this)
    this.#cancel?.()
  }
}

export const awaitStart = (queue: StartQueue, terms: StartTerms): Promise<Start> =>
  new Promise((resolve, reject) => void new RequestStarter(queue, terms, resolve, reject))
