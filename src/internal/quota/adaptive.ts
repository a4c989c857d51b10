/**
 * Adaptive concurrency: how many requests of one model may be in flight, found out from how they fare.
 *
 * It is TCP's congestion control, with a refusal (429, 503) in the place of a lost packet: slow start (RFC 5681) from
 * `initial` until the first refusal or, as in HyStart++ (RFC 9406), until answers take longer; then CUBIC (RFC 9438):
 * a multiplicative decrease, a quick return to where it was, a long stay there, and a growth beyond that gets the
 * faster the longer nothing happens. What a plain AIMD regains in n answers' time CUBIC regains in the cube root.
 * Nothing grows unless the limit is in use.
 *
 * Left out of CUBIC: the region that is friendly to Reno, for there is none, and fast convergence, which gives up a
 * tenth of the use after each refusal.
 */
import * as Latency from "./latency.ts"

/** What is said of each by `AdaptiveOptions` holds. */
export interface Settings {
  readonly initial: number
  readonly min: number
  readonly max: number
  /** What a refusal leaves of the limit: the beta of CUBIC. */
  readonly backoff: number
  /** The C of CUBIC. */
  readonly growth: number
  /** By what factor answers may take longer than usual. */
  readonly tolerance: number
}

export const defaults: Settings = { initial: 10, min: 1, max: Infinity, backoff: 0.8, growth: 1, tolerance: 2 }

export interface Adaptive {
  /** How many may be in flight now: a whole number, at least `min`. */
  readonly limit: () => number
  /**
   * The model has answered, and did not refuse. `inFlight` is how many were in flight when the request was sent,
   * itself included. Not for errors that say nothing of load, such as a 400: they come at once.
   */
  readonly answered: (now: number, sentAt: number, inFlight: number) => void
  /** The model refused for its load. What was sent before the limit was last cut is of the same congestion. */
  readonly refused: (now: number, sentAt: number, inFlight?: number) => void
}

/** A limit counts as in use if this part of it was in flight; 0.5 in slow start, in which it doubles meanwhile. */
const IN_USE = 0.8

/** Growth by an answer at most: half of the limit in a round trip (RFC 9438, section 4.2: target of 1.5 cwnd). */
const STEP = 0.5

/** In slow start while answers take a little longer (RFC 9406, CSS_GROWTH_DIVISOR). */
const CAREFUL_STEP = 1 / 4

/** A level that was refused is tried again after so many answers, so that refusals stay about 1 in 100. */
const ANSWERS_BETWEEN = 100

/** Or after these milliseconds, doubled each time that it is refused again. */
const HOLD = 1_000
const LONGEST_HOLD = 32_000

/** CUBIC's clock goes slower when answers take longer than this many milliseconds: so a wave is always many answers. */
const SECOND = 1_000

/** If concurrency was halved and answers still take more than this part of the time, then it wasn't what slowed them. */
const UNHELPED = 0.75

export const make = (settings: Settings): Adaptive => {
  const { backoff, growth, max, min } = settings
  const latency = Latency.make(settings.tolerance)
  const within = (n: number): number => Math.min(max, Math.max(min, n))

  let window = within(settings.initial)
  let slowStart = true
  /** CUBIC: where the last cut was made, when the window is there again, and the time that growth has had. */
  let peak = window
  let returnsAt = 0
  let elapsed = 0
  let lastAt = -Infinity

  let cutAt = -Infinity
  /** Answers since the last cut, and those of them to requests that were sent after it. */
  let answers = 0
  let fresh = 0
  /** The level that was refused last, and how long it isn't tried again. */
  let refusedLevel = Infinity
  let hold = HOLD
  /** The window and the latency when answers began to take too long. */
  let slowed: { readonly window: number; readonly mean: number } | undefined

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

  const grow = (now: number, sentAt: number): void => {
    if (slowStart) {
      window = within(window + (latency.isRaised() ? CAREFUL_STEP : 1))
      return
    }
    // Idle time is no time to grow: at most the time that this request took counts.
    const time = Math.min(now - lastAt, now - sentAt) / Math.max(SECOND, latency.mean())
    const target = growth * (elapsed + time - returnsAt) ** 3 + peak
    const next = within(Math.min(target, window + STEP))
    if (next >= refusedLevel && answers < ANSWERS_BETWEEN && now - cutAt < hold) return
    elapsed += time
    if (next > window) window = next
  }

  /** Lets the window shrink while answers take too long, unless that is seen not to help. */
  const slow = (now: number): void => {
    if (cutAt !== -Infinity && fresh < latency.span(window)) return
    if (slowed === undefined) slowed = { window, mean: latency.mean() }
    else if (window <= slowed.window / 2) {
      if (latency.mean() > slowed.mean * UNHELPED) return accept()
      slowed = { window, mean: latency.mean() }
    }
    if (window <= min) return accept()
    cut(now, window)
  }

  const accept = (): void => {
    latency.accept()
    if (slowed !== undefined) window = Math.max(window, Math.min(slowed.window, within(refusedLevel - 1)))
    slowed = undefined
  }

  return {
    limit: () => Math.floor(window),
    answered: (now, sentAt, inFlight) => {
      const limit = Math.floor(window)
      latency.add(now - sentAt, limit)
      answers++
      if (sentAt >= cutAt) fresh++
      if (inFlight >= limit * (slowStart ? 0.5 : IN_USE)) {
        if (latency.isFar()) slow(now)
        else {
          if (slowed !== undefined && fresh >= latency.span(window)) slowed = undefined
          grow(now, sentAt)
        }
      }
      lastAt = now
    },
    refused: (now, sentAt, inFlight = Infinity) => {
      const level = Math.min(Math.floor(window), inFlight)
      if (sentAt < cutAt) {
        return
      }
      hold = level !== refusedLevel ? HOLD : answers > 0 ? Math.min(2 * hold, LONGEST_HOLD) : hold
      refusedLevel = level
      cut(now, level)
    }
  }
}
