/**
 * Growing pauses between retries of a failed load: a second, then two, four, ..., a minute. No timers: the next use
 * checks.
 */

/** Milliseconds. Token endpoints (Entra, Vault) answer in well under a second, and count requests by the minute. */
const FIRST = 1_000
const LONGEST = 60_000

export class Pause {
  #next = FIRST
  #until = -Infinity

  /** True if it has grown since its last `end`. */
  get growing(): boolean {
    return this.#next > FIRST
  }
  over(now: number): boolean {
    return now >= this.#until
  }
  /** From now on, for no more than `atMost` ms, but never for less than the first. */
  grow(now: number, atMost: number = Infinity): void {
    this.#until = now + Math.min(this.#next, Math.max(FIRST, atMost))
    this.#next = Math.min(this.#next * 2, LONGEST)
  }
  end(): void {
    this.#next = FIRST
    this.#until = -Infinity
  }
}
