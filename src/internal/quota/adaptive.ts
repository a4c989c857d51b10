/**
 * Adaptive concurrency: how many requests of one model may be in flight, found out from how they fare.
 *
 * It is TCP's congestion control, with a refusal (429, 503) in the place of a lost packet: slow start (RFC 5681) from
 * `initial` until the first refusal or, as in HyStart++ (RFC 9406), until answers take longer; then CUBIC (RFC 9438):
 * a multiplicative decrease, a quick return to where it was, a stay there, and then a growth that gets faster the
 * longer nothing happens. Nothing grows unless the limit is in use.
 *
 * Left out of CUBIC are the region that is friendly to Reno, for there is none, and fast convergence, which would give
 * up a tenth of the use after each refusal. Added is a bound on refusals: a level that was refused is not tried again
 * before so many answers that refusals stay about one in a hundred.
 *
 * Latency (see latency.ts) only ever lowers the limit on trial. Fewer requests at once make answers faster if these
 * waited for each other, and change nothing if the model is slow for other reasons: longer answers, other customers.
 * So if the limit has been halved in vain it goes back to where it was, and the new latency is the usual one.
 */
import type { AdaptiveKey } from "../config/quotaOptions.ts"
import * as Latency from "./latency.ts"

/** `AdaptiveOptions` documents each, with its default and source: `backoff` is CUBIC's beta, `growth` its C. */
export type AdaptiveSettings = AdaptiveKey

export interface Adaptive {
  /** Requests that may be in flight now: a whole number, at least `min`. */
  readonly limit: () => number
  /**
   * The model has answered, and did not refuse. `inFlight` is the number in flight when the request was sent, itself
   * included. Not for errors such as a 400: they come at once, and are no measure of load.
   */
  readonly answered: (now: number, sentAt: number, inFlight: number) => void
  /**
   * The model refused because of load. Of one congestion, only the first refusal counts: not those of requests that
   * were sent before the limit was cut. `inFlight` is as above; a limit that isn't in use is cut from there.
   */
  readonly refused: (now: number, sentAt: number, inFlight: number) => void
}

/** The part of a limit that was in flight if it was in use; in slow start a limit doubles while an answer is made. */
const IN_USE_SHARE = 0.8
const IN_USE_SHARE_AT_START = 0.5

/** Growth by an answer in slow start, and the same while answers take a bit longer (RFC 9406, CSS_GROWTH_DIVISOR). */
const START_STEP = 1
const CAREFUL_STEP = START_STEP / 4

/** Growth by an answer later, at most: by half in a round trip (RFC 9438, section 4.2, target). */
const STEP = 0.5

/** CUBIC counts in seconds. */
const SECOND_MS = 1_000

/** A level that was refused is tried again after so many answers, */
const ANSWERS_BETWEEN = 100

/** or after so many milliseconds, doubled with each time that it is refused again: about as long as it has been so. */
const HOLD_MS = 1_000
const LONGEST_HOLD_MS = 128_000

/** Round trips after a cut until latency is that of the new limit: at first few but old and long requests come back. */
const SETTLING_ROUND_TRIPS = 3

/** A trial of fewer requests at once, because answers take too long. */
interface Trial {
  /** The limit to which it returns if the trial is in vain, and whether that was still in slow start. */
  readonly from: number
  readonly inSlowStart: boolean
  /** The first limit whose latency was seen to be too long, and that latency; unknown before the first cut. */
  readonly slow: { readonly window: number; readonly mean: number } | undefined
}

class CubicLimit implements Adaptive {
  readonly #settings: AdaptiveSettings
  readonly #latency: Latency.Latency

  /** The limit, with its fraction. */
  #window: number
  #slowStart = true

  // CUBIC: the limit before the last cut, in what time it is reached again, and the time that growth has had.
  #peak: number
  #returnsAt = 0
  #elapsed = 0

  // The last cut, all answers since, and those to requests that were sent after it.
  #cutAt = -Infinity
  #answers = 0
  #fresh = 0
  #lastAnswerAt = -Infinity

  // The level that was refused last, how long it isn't tried again, and that level while this holds.
  #refusedLevel = Infinity
  #hold = HOLD_MS
  #ceiling = Infinity

  #trial: Trial | undefined
  /** The last trial made answers faster: the model lets requests wait, so latency depends on the limit. */
  #queues = false
  /** The usual latency is to be learned anew: the first responses in slow start are the quick ones. */
  #untaught = false

  constructor(settings: AdaptiveSettings) {
    this.#settings = settings
    this.#latency = Latency.make(settings.tolerance)
    this.#window = this.#peak = this.#within(settings.initial)
  }

  readonly limit = (): number => Math.floor(this.#window)

  answered(now: number, sentAt: number, inFlight: number): void {
    const limit = this.limit()
    // Time in which nothing was asked is no time to grow.
    const since = Math.max(this.#lastAnswerAt, sentAt, this.#cutAt)
    this.#lastAnswerAt = now
    this.#latency.add(now - sentAt, limit)
    this.#answers++
    if (sentAt >= this.#cutAt) this.#fresh++
    if (inFlight < limit * (this.#slowStart ? IN_USE_SHARE_AT_START : IN_USE_SHARE)) return

    const settled = !this.#slowStart && this.#fresh >= SETTLING_ROUND_TRIPS * Latency.span(limit)
    if (this.#trial !== undefined) {
      if (!settled) return
      if (this.#latency.isRaised()) this.#tryFewer(now)
      else {
        this.#trial = undefined
        this.#queues = true
      }
    } else if ((settled || this.#slowStart) && this.#latency.isFar()) this.#tryFewer(now)
    else {
      if (settled) this.#learn(limit)
      this.#grow(now, since)
    }
  }

  refused(now: number, sentAt: number, inFlight: number): void {
    if (sentAt < this.#cutAt) return
    const level = Math.min(this.limit(), inFlight)
    if (Math.abs(level - this.#refusedLevel) > 1) this.#hold = HOLD_MS
    else if (this.#answers > 0) this.#hold = Math.min(2 * this.#hold, LONGEST_HOLD_MS)
    this.#refusedLevel = level
    this.#ceiling = level
    this.#endSlowStart()
    this.#queues = false
    this.#cut(now, level)
  }

  #within(n: number): number {
    return Math.min(this.#settings.max, Math.max(this.#settings.min, n))
  }

  /** Slow start has found a bound, a refusal or max. What latency finds is only tried, and ends it in `cut`. */
  #endSlowStart(): void {
    if (this.#slowStart) this.#untaught = true
    this.#slowStart = false
    this.#fresh = 0
  }

  #cut(now: number, from: number): void {
    this.#slowStart = false
    this.#peak = from
    this.#window = this.#within(from * this.#settings.backoff)
    this.#returnsAt = Math.cbrt(Math.max(0, this.#peak - this.#window) / this.#settings.growth)
    this.#elapsed = 0
    this.#cutAt = now
    this.#answers = 0
    this.#fresh = 0
  }

  /** Grows as far as the time since `since` allows. */
  #grow(now: number, since: number): void {
    if (this.#slowStart) {
      this.#window = this.#within(this.#window + (this.#latency.isRaised() ? CAREFUL_STEP : START_STEP))
      if (this.#window === this.#settings.max) this.#endSlowStart()
      return
    }
    const time = this.#elapsed + (now - since) / SECOND_MS
    const cubic = this.#peak + this.#settings.growth * (time - this.#returnsAt) ** 3
    const next = this.#within(Math.min(cubic, this.#window + STEP))
    if (next >= this.#ceiling) {
      if (this.#answers < ANSWERS_BETWEEN && now - this.#cutAt < this.#hold) return
      this.#ceiling = Infinity
    }
    this.#elapsed = time
    if (next > this.#window) this.#window = next
  }

  /** Answers take too long: one step of a trial, or its end. */
  #tryFewer(now: number): void {
    const window = this.#window
    const mean = this.#latency.mean()
    const trial = this.#trial
    const slow = trial?.slow
    if (window <= this.#settings.min) return this.#giveUp()
    if (trial === undefined) this.#trial = { from: window, inSlowStart: this.#slowStart, slow: undefined }
    else if (slow === undefined) this.#trial = { ...trial, slow: { window, mean } }
    else if (window <= slow.window / 2) {
      // Had they waited for each other, they would now take as much less time. Halfway between that and none decides.
      if (mean > slow.mean * Math.sqrt(window / slow.window)) return this.#giveUp()
      this.#trial = { from: window, inSlowStart: false, slow: { window, mean } }
      this.#queues = true
    }
    this.#cut(now, window)
  }

  /** As TCP undoes what it did for a loss that was none (RFC 4015): limit and slow start are what they were. */
  #giveUp(): void {
    this.#latency.accept()
    this.#queues = false
    const trial = this.#trial
    if (trial === undefined) return
    this.#window = Math.max(this.#window, Math.min(trial.from, this.#within(this.#ceiling - 1)))
    this.#slowStart = trial.inSlowStart && this.#ceiling === Infinity
    this.#peak = this.#window
    this.#returnsAt = 0
    this.#elapsed = 0
    this.#trial = undefined
  }

  #learn(limit: number): void {
    // If latency is what bounds the limit, a longer one is of our making and must not become the usual one.
    if (!this.#untaught) return this.#latency.learn(limit, !this.#queues)
    this.#untaught = false
    this.#latency.accept()
  }
}

export const make = (settings: AdaptiveSettings): Adaptive => new CubicLimit(settings)
