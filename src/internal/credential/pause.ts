/**
 * Growing pauses between retries of a failed load: a second, then two, four, ..., a minute. No timers: the next use
 * checks.
 */

/** Milliseconds. Token endpoints (Entra, Vault) answer in well under a second, and count requests by the minute. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000

export class Pause {
  #next = FIRST_PAUSE_MS
  #until = -Infinity

  /** True if it has grown since its last `end`. */
  get growing(): boolean {
    return this.#next > FIRST_PAUSE_MS
  }
  over(now: number): boolean {
    return now >= this.#until
  }
  /** From now on, for no more than `atMost` ms, but never for less than the first. */
  grow(now: number, atMost: number = Infinity): void {
    this.#until = now + Math.min(this.#next, Math.max(FIRST_PAUSE_MS, atMost))
    this.#next = Math.min(this.#next * 2, LONGEST_PAUSE_MS)
  }
  end(): void {
    this.#next = FIRST_PAUSE_MS
    this.#until = -Infinity
  }
}
