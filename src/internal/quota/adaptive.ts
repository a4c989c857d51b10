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

export const make = (settings: AdaptiveSettings): Adaptive => {
  const { backoff, growth, max, min } = settings
  const latency = Latency.make(settings.tolerance)
  const within = (n: number): number => Math.min(max, Math.max(min, n))

  /** The limit, with its fraction. */
  let window = within(settings.initial)
  let slowStart = true

  // CUBIC: the limit before the last cut, in what time it is reached again, and the time that growth has had.
  let peak = window
  let returnsAt = 0
  let elapsed = 0

  // The last cut, all answers since, and those to requests that were sent after it.
  let cutAt = -Infinity
  let answers = 0
  let fresh = 0
  let lastAnswerAt = -Infinity

  // The level that was refused last, how long it isn't tried again, and that level while this holds.
  let refusedLevel = Infinity
  let hold = HOLD_MS
  let ceiling = Infinity

  let trial: Trial | undefined
  /** The last trial made answers faster: the model lets requests wait, so latency depends on the limit. */
  let queues = false
  /** The usual latency is to be learned anew: the first responses in slow start are the quick ones. */
  let untaught = false

  /** Slow start has found a bound, a refusal or max. What latency finds is only tried, and ends it in `cut`. */
  const endSlowStart = (): void => {
    if (slowStart) untaught = true
    slowStart = false
    fresh = 0
  }

  const cut = (now: number, from: number): void => {
    slowStart = false
    peak = from
    window = within(from * backoff)
    returnsAt = Math.cbrt(Math.max(0, peak - window) / growth)
    elapsed = 0
    cutAt = now
    answers = 0
    fresh = 0
  }

  /** Grows as far as the time since `since` allows. */
  const grow = (now: number, since: number): void => {
    if (slowStart) {
      window = within(window + (latency.isRaised() ? CAREFUL_STEP : START_STEP))
      if (window === max) endSlowStart()
      return
    }
    const time = elapsed + (now - since) / SECOND_MS
    const next = within(Math.min(peak + growth * (time - returnsAt) ** 3, window + STEP))
    if (next >= ceiling) {
      if (answers < ANSWERS_BETWEEN && now - cutAt < hold) return
      ceiling = Infinity
    }
    elapsed = time
    if (next > window) window = next
  }

  /** Answers take too long: one step of a trial, or its end. */
  const tryFewer = (now: number): void => {
    const mean = latency.mean()
    const slow = trial?.slow
    if (window <= min) return giveUp()
    if (trial === undefined) trial = { from: window, inSlowStart: slowStart, slow: undefined }
    else if (slow === undefined) trial = { ...trial, slow: { window, mean } }
    else if (window <= slow.window / 2) {
      // Had they waited for each other, they would now take as much less time. Halfway between that and none decides.
      if (mean > slow.mean * Math.sqrt(window / slow.window)) return giveUp()
      trial = { from: window, inSlowStart: false, slow: { window, mean } }
      queues = true
    }
    cut(now, window)
  }

  /** As TCP undoes what it did for a loss that was none (RFC 4015): limit and slow start are what they were. */
  const giveUp = (): void => {
    latency.accept()
    queues = false
    if (trial === undefined) return
    window = Math.max(window, Math.min(trial.from, within(ceiling - 1)))
    slowStart = trial.inSlowStart && ceiling === Infinity
    peak = window
    returnsAt = 0
    elapsed = 0
    trial = undefined
  }

  const learn = (limit: number): void => {
    // If latency is what bounds the limit, a longer one is of our making and must not become the usual one.
    if (!untaught) return latency.learn(limit, !queues)
    untaught = false
    latency.accept()
  }

  return {
    limit: () => Math.floor(window),
    answered: (now, sentAt, inFlight) => {
      const limit = Math.floor(window)
      // Time in which nothing was asked is no time to grow.
      const since = Math.max(lastAnswerAt, sentAt, cutAt)
      lastAnswerAt = now
      latency.add(now - sentAt, limit)
      answers++
      if (sentAt >= cutAt) fresh++
      if (inFlight < limit * (slowStart ? IN_USE_SHARE_AT_START : IN_USE_SHARE)) return

      const settled = !slowStart && fresh >= SETTLING_ROUND_TRIPS * Latency.span(limit)
      if (trial !== undefined) {
        if (!settled) return
        if (latency.isRaised()) tryFewer(now)
        else {
          trial = undefined
          queues = true
        }
      } else if ((settled || slowStart) && latency.isFar()) tryFewer(now)
      else {
        if (settled) learn(limit)
        grow(now, since)
      }
    },
    refused: (now, sentAt, inFlight) => {
      if (sentAt < cutAt) return
      const level = Math.min(Math.floor(window), inFlight)
      if (Math.abs(level - refusedLevel) > 1) hold = HOLD_MS
      else if (answers > 0) hold = Math.min(2 * hold, LONGEST_HOLD_MS)
      refusedLevel = level
      ceiling = level
      endSlowStart()
      queues = false
      cut(now, level)
    }
  }
}
