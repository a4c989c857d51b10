/**
 * So many a minute, exactly and without a counter that jumps: GCRA (ITU-T I.371, "virtual scheduling"). One number is
 * kept, the time at which all costs so far will have been paid. A request may go from then on, and its cost moves the
 * time on; so a cost above a whole minute's limit completes as well, and later requests wait for it.
 */
import { remaining } from "../util/ticker.ts"

const MINUTE_MS = 60_000

export class Gcra {
  /** Milliseconds that one unit takes; 0 without a limit. */
  #unit = 0
  #burst = 1
  #paidAt = -Infinity
  readonly #lateness: number

  /**
   * Timers that are late by no more than `lateness` cost no budget: the schedule counts, not the time of waking. A
   * minute that began late would then hold more than a minute's limit; hence the units are that much longer.
   */
  constructor(lateness: number) {
    this.#lateness = lateness
  }

  /** From now on so many a minute; what has been taken and is not paid for yet has the new price. */
  limit(now: number, perMinute: number, burst: number): void {
    const unit = perMinute === Infinity ? 0 : (MINUTE_MS + this.#lateness) / perMinute
    if (this.#unit > 0 && unit > 0 && this.#paidAt > now) {
      this.#paidAt = now + (this.#paidAt - now) * (unit / this.#unit)
    }
    this.#unit = unit
    this.#burst = burst
  }

  get isLimited(): boolean {
    return this.#unit > 0
  }

  /** Milliseconds until something of this cost may go, 0 for now. */
  wait(now: number, cost: number): number {
    if (this.#unit === 0) return 0
    return remaining(this.#paidAt - (this.#burst - 1) * cost * this.#unit - now)
  }

  /** Takes the budget of something that goes now and has been ready since then. */
  take(now: number, since: number, cost: number): void {
    if (this.#unit === 0) return
    // Nothing is saved up while no request waits, nor while something else holds the waiting ones.
    const start = Math.max(since, now - this.#lateness)
    this.#paidAt = Math.max(this.#paidAt, start) + cost * this.#unit
  }

  /** Corrects what was taken: more for a positive number, back for a negative one. */
  correct(now: number, by: number): void {
    if (this.#unit === 0) return
    this.#paidAt = Math.max(this.#paidAt, now) + by * this.#unit
  }

  /** Units left of a minute's limit, `Infinity` without one. */
  left(now: number): number {
    if (this.#unit === 0) return Infinity
    const debt = Math.max(0, this.#paidAt - now)
    return Math.max(0, Math.floor((MINUTE_MS + this.#lateness - debt) / this.#unit))
  }

  isRested(now: number): boolean {
    return this.#paidAt <= now
  }
}
