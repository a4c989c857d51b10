/** Token counts that do not depend on how a version of `@effect/ai` has them. */

/** Counts of a provider. Anything but a number is a count that it left out. */
export interface Reported {
  readonly input: unknown
  readonly output: unknown
  readonly total: unknown
  /** The part of the input that was read from a cache. */
  readonly cached: unknown
  /** The part of the output that was spent on reasoning. */
  readonly reasoning: unknown
}

/** Sums of a request. */
export interface Counts {
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly totalTokens: number | undefined
}
