/**
 * The way back to full speed, after a circuit was open or a gate closed: half of what was in flight before goes at once,
 * and that doubles by time. TCP goes back to a window of one after a timeout (RFC 5681), which for answers of 3 s takes
 * minutes; after a fast retransmit it goes on with half, since acknowledgements still arrive. A probe that was let in is
 * such an acknowledgement.
 */

/** Doubles as often as a fast answer takes, so that a provider that does not bear it can still say so in between. */
export const DOUBLING_MS = 300

/** Above a level that was refused the allowance grows by a tenth in the same time: additive increase, near enough. */
const CAREFUL_GROWTH = 1.1

export interface Recovery {
  /** In flight before. When so many may go again it is over. */
  usual: number
  /** Above this it grows carefully; `Infinity` for all the way at full speed. */
  threshold: number
  allowance: number
  startedAt: number
  grownAt: number
}

export const make = (): Recovery => ({ usual: 1, threshold: Infinity, allowance: 1, startedAt: 0, grownAt: 0 })

/** `least`: at least so many go at once. */
export const start = (recovery: Recovery, now: number, least: number): void => {
  const half = Math.min(recovery.usual / 2, recovery.threshold)
  recovery.allowance = Math.max(least, half)
  recovery.startedAt = recovery.grownAt = now
}

/** Grows by the time that has passed, unless `isFailing`. Returns whether it is over. */
export const grow = (recovery: Recovery, now: number, isFailing: (allowance: number) => boolean): boolean => {
  while (now - recovery.grownAt >= DOUBLING_MS && recovery.allowance < recovery.usual) {
    recovery.grownAt += DOUBLING_MS
    if (isFailing(recovery.allowance)) continue
    const { allowance, threshold } = recovery
    recovery.allowance = allowance < threshold ? Math.min(2 * allowance, threshold) : allowance * CAREFUL_GROWTH
  }
  return recovery.allowance >= recovery.usual
}
