/**
 * Idle entries, least recently used first. All of a map have the same time to live, so the first to go idle is the first
 * to expire, and one timer serves them all. It keeps no process alive.
 */
import { root } from "../util/asyncContext.ts"
import { remaining, type Ticker } from "../util/ticker.ts"

export class Idle<Entry> {
  readonly #deadlines = new Map<Entry, number>()
  readonly #ticker: Ticker
  readonly #timeToLive: number
  readonly #expired: (entry: Entry) => void
  #cancel: (() => void) | undefined = undefined

  /** `timeToLive` is in milliseconds. `expired` must remove the entry. */
  constructor(ticker: Ticker, timeToLive: number, expired: (entry: Entry) => void) {
    this.#ticker = ticker
    this.#timeToLive = timeToLive
    this.#expired = expired
  }

  add(entry: Entry): void {
    this.#deadlines.set(entry, this.#ticker.now() + this.#timeToLive)
    if (this.#cancel === undefined) this.#wait()
  }

  /** The timer is left as it is: it finds nothing expired, and waits for the next. */
  remove(entry: Entry): void {
    this.#deadlines.delete(entry)
  }

  /** The least recently used. */
  first(): Entry | undefined {
    for (const entry of this.#deadlines.keys()) return entry
    return undefined
  }

  close(): void {
    this.#cancel?.()
  }

  #wait(): void {
    for (const deadline of this.#deadlines.values()) {
      if (deadline === Infinity) return
      const ms = Math.ceil(deadline - this.#ticker.now())
      this.#cancel = root(() => this.#ticker.after(ms, () => this.#expire(), false))
      return
    }
  }

  #expire(): void {
    this.#cancel = undefined
    const now = this.#ticker.now()
    for (const [entry, deadline] of this.#deadlines) {
      if (remaining(deadline - now) > 0) break
      this.#expired(entry)
    }
    // One that went idle meanwhile has set it already.
    if (this.#cancel === undefined) this.#wait()
  }
}
