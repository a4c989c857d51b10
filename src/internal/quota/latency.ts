/**
 * Whether answers take longer than they did: the mean of the last answers against that of the longer past, as
 * Netflix's Gradient2 compares them (github.com/Netflix/concurrency-limits). Two things differ, since the answers of
 * one model take from a tenth of a second to a minute, whatever the load:
 *
 * - Means are of logarithms, so that a few long answers don't outweigh all others.
 * - The long mean follows the short one down at once and up slowly, and up only while they are close. In Gradient2 it
 *   follows always: a server that queues could then teach, a little at a time, that waiting is usual.
 */

/** Answers that the short mean is made of at least: a mean of fewer says more of these requests than of the server. */
const LEAST = 32

/** How many times slower the long mean rises than the short one moves. Gradient2's long window is 600 answers. */
const SLOWNESS = 16

/** Deviations of a mean that may be chance: RFC 6298 (TCP's timeout) takes 4 too. */
const DEVIATIONS = 4

/** What a standard deviation is of a mean absolute one, in a normal distribution: the root of pi / 2. */
const STANDARD = 1.25

export interface Latency {
  /** An answer took so many milliseconds while so many could be in flight. */
  readonly add: (ms: number, limit: number) => void
  /** How many answers it takes until the short mean is of these alone. */
  readonly span: (limit: number) => number
  /** The short mean, in milliseconds. */
  readonly mean: () => number
  /** Answers take clearly longer, but not by as much as the tolerance. */
  readonly isRaised: () => boolean
  /** Answers take longer than the tolerance and chance allow. */
  readonly isFar: () => boolean
  /** What is now is usual. */
  readonly accept: () => void
}

export const make = (tolerance: number): Latency => {
  const far = Math.log(tolerance)
  const near = Math.log(1 + (tolerance - 1) / 4)
  let count = 0
  let short = 0
  let long = 0
  /** The mean absolute deviation of one answer from the short mean, and of that mean itself from the true one. */
  let deviation = 0
  let chance = 0

  const span = (limit: number): number => Math.max(LEAST, limit)

  return {
    span,
    add: (ms, limit) => {
      const value = Math.log(Math.max(ms, 1))
      const answers = Math.min(++count, span(limit))
      const weight = count <= answers ? 1 / count : 2 / (answers + 1)
      if (count > 1) deviation += weight * (Math.abs(value - short) - deviation)
      short += weight * (value - short)
      chance = (DEVIATIONS * STANDARD * deviation) / Math.sqrt(answers)
      if (short < long || count < LEAST) long = short
      else if (short < long + near) long += (weight / SLOWNESS) * (short - long)
    },
    mean: () => Math.exp(short),
    isRaised: () => count >= LEAST && short > long + near,
    isFar: () => count >= LEAST && short > long + Math.max(far, chance),
    accept: () => {
      long = short
    }
  }
}
