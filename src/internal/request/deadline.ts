/**
 * The time that a whole request has, whatever it waits for meanwhile: its turn, a socket, an answer, the pause before
 * another attempt, the last byte. One timer, set once, that keeps no process alive.
 */
import { type Ticker } from "../util/ticker.ts"
import { DeadlinePassed } from "../wire/errors.ts"
import type { Expiring, WireDeadline } from "../http/types.ts"
import { MAX_TIMEOUT_MS } from "../util/timers.ts"

export class Deadline implements WireDeadline {
  readonly ms: number
  isPassed = false
  underway: Expiring | undefined
  #waiter: AbortController | undefined
  readonly #ticker: Ticker
  readonly #until: number
  readonly #cancel: () => void

  /** It lasts `ms` of the ticker's milliseconds, of which `passedMs` have passed. */
  constructor(ms: number, ticker: Ticker, passedMs = 0) {
    const left = Math.max(0, ms - passedMs)
    this.ms = ms
    this.#ticker = ticker
    this.#until = ticker.now() + left
    this.#cancel = ticker.after(left, this.#pass, false)
  }

  /** Milliseconds. */
  left(): number {
    return this.isPassed ? 0 : Math.max(0, this.#until - this.#ticker.now())
  }

  /** The request has ended. */
  cancel(): void {
    this.#cancel()
  }

  /** From now on its end aborts this as well. */
  ends(waiter: AbortController): void {
    this.#waiter = waiter
    if (this.isPassed) waiter.abort(this.#late())
  }

  /** Rejects if it passes before `work` has come to an end. */
  within<A>(work: Promise<A>): Promise<A> {
    return new Promise((resolve, reject) => {
      this.underway = { expire: () => reject(this.#late()) }
      work.then(resolve, reject).finally(() => {
        this.underway = undefined
      })
    })
  }

  /** Throws once it has passed. */
  check(): void {
    if (this.isPassed) throw this.#late()
  }

  /** Nothing is sent just now. */
  #late(): DeadlinePassed {
    return new DeadlinePassed("no", this.ms)
  }

  readonly #pass = (): void => {
    this.isPassed = true
    this.underway?.expire()
    this.#waiter?.abort(this.#late())
  }
}

/** `undefined` for one that never comes. */
export const make = (ms: number, ticker: Ticker, passedMs = 0): Deadline | undefined =>
  ms > MAX_TIMEOUT_MS ? undefined : new Deadline(ms, ticker, passedMs)
