/**
 * Detects that responses take longer than they did: compares the mean of the last ones with the usual mean, as
 * Netflix's Gradient2 compares a short and a long average (github.com/Netflix/concurrency-limits). Since the responses
 * of one model take from a tenth of a second to a minute, whatever the load, three things differ:
 *
 * - Means are of logarithms, so that a few long responses don't outweigh all others.
 * - Changes that chance alone explains in the mean of so many responses are ignored.
 * - The long mean moves only when told to. In Gradient2 it always does, so a server that queues could teach it, a
 *   little at a time, that waiting is usual.
 */

/**
 * Answers that the short mean is made of at least: a mean of fewer depends more on these requests than on the server.
 */
const MIN_SHORT_ANSWERS = 32

/** Answers until the long mean is first known: of requests that begin together the quick ones are answered first. */
const MIN_LONG_ANSWERS = 2 * MIN_SHORT_ANSWERS

/** Factor by which the long mean moves slower than the short one. */
const SLOWNESS_FACTOR = 8

/** Deviations of a mean that may be chance, as many as TCP allows before it gives a packet up for lost (RFC 6298). */
const CHANCE_DEVIATIONS = 4

/** A standard deviation by the mean absolute one, in a normal distribution: the root of pi / 2. */
const STANDARD_DEVIATION_FACTOR = 1.25

export interface Latency {
  /** An answer took so many milliseconds while so many could be in flight. */
  readonly add: (ms: number, limit: number) => void
  /** The short mean, in milliseconds. */
  readonly mean: () => number
  /** Answers take longer, if not by as much as the tolerance. */
  readonly isRaised: () => boolean
  /** Answers take longer than tolerance and chance allow. */
  readonly isFar: () => boolean
  /** The long mean moves towards the short one; up only if that may be, and they are close. */
  readonly learn: (limit: number, mayRise: boolean) => void
  /** Makes the present latency the usual one. */
  readonly accept: () => void
}

/** Number of answers in the short mean: one round trip of all that may be in flight. */
export const span = (limit: number): number => Math.max(MIN_SHORT_ANSWERS, limit)

/** The weight of one answer in an exponential moving average of so many. */
const weightOf = (answers: number): number => 2 / (answers + 1)

/** `tolerance` is the factor by which answers may take longer than usual. */
export const make = (tolerance: number): Latency => {
  const far = Math.log(tolerance)
  const near = Math.log(1 + (tolerance - 1) / 4)
  let count = 0
  let short = 0
  let long = 0
  /** The mean absolute deviation of single answers, and what chance may do to the mean of so many. */
  let deviation = 0
  let chance = 0

  return {
    add: (ms, limit) => {
      const value = Math.log(Math.max(ms, 1))
      const answers = Math.min(++count, span(limit))
      const weight = count <= answers ? 1 / count : weightOf(answers)
      if (count > 1) deviation += weight * (Math.abs(value - short) - deviation)
      short += weight * (value - short)
      chance = (CHANCE_DEVIATIONS * STANDARD_DEVIATION_FACTOR * deviation) / Math.sqrt(answers)
      if (count <= MIN_LONG_ANSWERS) long = short
    },
    mean: () => Math.exp(short),
    isRaised: () => count > MIN_LONG_ANSWERS && short > long + near,
    isFar: () => count > MIN_LONG_ANSWERS && short > long + Math.max(far, chance),
    learn: (limit, mayRise) => {
      if (short < long || (mayRise && short < long + near)) {
        long += (weightOf(span(limit)) / SLOWNESS_FACTOR) * (short - long)
      }
    },
    accept: () => {
      long = short
    }
  }
}
