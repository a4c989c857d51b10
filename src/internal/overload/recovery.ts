/**
 * The way back to full speed, after a circuit was open or a gate closed: as many a second as went before, and no more
 * in flight than half of what was before, which doubles by time.
 *
 * TCP goes back to a window of one after a timeout (RFC 5681), which for answers of 3 s takes minutes; after a fast
 * retransmit it goes on with half, since acknowledgements still arrive. A probe that was let in is such an
 * acknowledgement. The pace keeps waiting requests from all being sent at once, where answers are slow.
 */

/** Doubles as often as a fast answer takes, so that an overloaded provider can still refuse in between. */
const DOUBLING_MS = 300

/** Above a level that was refused the allowance grows by a tenth in the same time. */
const CAREFUL_GROWTH_FACTOR = 1.1

/**
 * The pace is a trifle below what providers see as more than before. It is held for as long as answers of a second or two
 * need to be as many as before, and then doubles, or answers of ten seconds would take ten to come back.
 */
const PACE_FACTOR = 1.05
const PACE_HELD_MS = 1_500
const PACE_DOUBLING_MS = 500
/** A pace is kept from as many a second on. */
const MIN_PACE_PER_SECOND = 20
/** Interval of releases, in ms. */
const PACE_TICK_MS = 20

export interface Recovery {
  /** In flight before. */
  usual: number
  /** Sent in the busiest second before. */
  rate: number
  /** It is over when so many may be in flight: all that are, or want to be. */
  goal: number
  /** Above this the allowance grows carefully; `Infinity` for all the way at full speed. */
  threshold: number
  allowance: number
  /** May go now, by the pace. */
  tokens: number
  startedAt: number
  grownAt: number
  pacedAt: number
}

export const make = (): Recovery => ({
  usual: 1,
  rate: Infinity,
  goal: 1,
  threshold: Infinity,
  allowance: 1,
  tokens: 0,
  startedAt: 0,
  grownAt: 0,
  pacedAt: 0
})

/** Trouble begins, with so many in flight of late, and so many sent in a second. */
export const note = (recovery: Recovery, usual: number, rate: number): void => {
  recovery.usual = Math.max(1, usual)
  recovery.rate = rate
  recovery.threshold = Infinity
}

/** `least`: at least so many go at once. `wanted`: so many are in flight or wait. */
export const start = (recovery: Recovery, now: number, least: number, wanted: number): void => {
  const half = Math.min(recovery.usual / 2, recovery.threshold)
  recovery.allowance = Math.max(least, half)
  recovery.goal = Math.max(recovery.usual, wanted)
  recovery.tokens = least
  recovery.startedAt = recovery.grownAt = recovery.pacedAt = now
}

/** True if all may go. */
export const isOver = ({ allowance, goal }: Recovery): boolean => allowance >= goal

/** More requests than before are another crowd, with a pace of its own. */
const pace = ({ goal, rate, startedAt, usual }: Recovery, now: number): number => {
  const held = now - startedAt - PACE_HELD_MS
  const crowd = goal > 2 * usual ? goal / usual : 1
  return (
    PACE_FACTOR * Math.max(rate, MIN_PACE_PER_SECOND) * crowd * 2 ** Math.max(0, Math.ceil(held / PACE_DOUBLING_MS))
  )
}

/** Grows by the time that has passed, unless `isFailing`. `wanted` is as for `start`. */
export const grow = (
  recovery: Recovery,
  now: number,
  wanted: number,
  isFailing: (allowance: number) => boolean
): void => {
  recovery.goal = Math.max(recovery.goal, wanted)
  while (now - recovery.grownAt >= DOUBLING_MS && recovery.allowance < recovery.goal) {
    recovery.grownAt += DOUBLING_MS
    if (isFailing(recovery.allowance)) continue
    const { allowance, threshold } = recovery
    recovery.allowance = allowance < threshold ? Math.min(2 * allowance, threshold) : allowance * CAREFUL_GROWTH_FACTOR
  }
  if (recovery.rate === Infinity) recovery.tokens = Infinity
  else {
    const perSecond = pace(recovery, now)
    const more = (Math.max(0, now - recovery.pacedAt) / 1_000) * perSecond
    recovery.tokens = Math.min(Math.max(recovery.tokens, perSecond), recovery.tokens + more)
  }
  recovery.pacedAt = Math.max(recovery.pacedAt, now)
}

/** Requests that may go now, with so many in flight. */
export const room = ({ allowance, tokens }: Recovery, inFlight: number): number =>
  Math.floor(Math.min(allowance - inFlight, tokens))

export const take = (recovery: Recovery): void => {
  recovery.tokens--
}

/** Time at which more may go, if none of those in flight ends. */
export const nextAt = (recovery: Recovery, now: number, inFlight: number): number =>
  recovery.allowance - inFlight >= 1 ? now + PACE_TICK_MS : recovery.grownAt + DOUBLING_MS
