/**
 * What the holders of one credential may use together. Providers count for each model by itself (Azure: for each
 * deployment), and so do these limits: a model that has used up its budget holds no other one up.
 *
 * @since 0.1.0
 * @category models
 */
export interface QuotaOptions {
  /**
   * Requests a minute to each model, as the provider's limits page states them; a number above 0. `Infinity` is no
   * limit.
   *
   * @default no limit of ours; the provider's Retry-After is obeyed all the same
   */
  readonly requestsPerMinute?: number | undefined
  /**
   * Tokens a minute of each model, prompts and answers together; a number above 0. `Infinity` is no limit. A request
   * reserves an estimate, which the usage in its answer corrects.
   *
   * @default no limit of ours; the provider's Retry-After is obeyed all the same
   */
  readonly tokensPerMinute?: number | undefined
  /**
   * How many requests to a model may go at once after a pause; an integer of at least 1. Any 60 seconds hold at most
   * `requestsPerMinute + burst - 1` requests, so 1 never exceeds what providers count over a minute.
   *
   * @default 1
   */
  readonly burst?: number | undefined
  /**
   * Requests to each model that are on the wire at one time, streams included until their last byte; an integer of at
   * least 1. `Infinity` is no limit; `"adaptive"` finds the number out, and `AdaptiveOptions` say how.
   *
   * @default no limit of ours
   */
  readonly maxConcurrency?: number | "adaptive" | AdaptiveOptions | undefined
}

/**
 * How `maxConcurrency: "adaptive"` looks for the concurrency that a model bears: from `initial` up while answers come
 * without delay and refusal, down by `backoff` at a refusal, and from there up again along the curve of CUBIC
 * (RFC 9438). What is absent has its default.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdaptiveOptions {
  /**
   * The concurrency to begin with; an integer from `min` to `max`.
   *
   * @default 10, the initial window of TCP (RFC 6928), or whichever of `min` and `max` is nearest
   */
  readonly initial?: number | undefined
  /**
   * It never falls below this integer, which is at least 1.
   *
   * @default 1, with which a model that refuses everything is still asked one request at a time
   */
  readonly min?: number | undefined
  /**
   * It never grows above this integer, which is at least `min`. `Infinity` is no bound but the pool's own.
   *
   * @default Infinity
   */
  readonly max?: number | undefined
  /**
   * What is left of the concurrency after a refusal: a fraction above 0 and below 1.
   *
   * @default 0.7, the multiplicative decrease of CUBIC (RFC 9438, section 4.6)
   */
  readonly backoff?: number | undefined
  /**
   * How steep the growth between two refusals is: the C of CUBIC, in requests per second cubed; a number above 0.
   *
   * @default 0.4 (RFC 9438, section 5)
   */
  readonly growth?: number | undefined
  /**
   * By what factor recent latency may exceed that of the longer past before it counts as congestion; a number of at
   * least 1.
   *
   * @default 1.5, as in Gradient2 of Netflix's concurrency-limits
   */
  readonly tolerance?: number | undefined
}

/**
 * `QuotaOptions` in canonical form: no limit is `Infinity`, however it was said. Equal by value.
 *
 * @since 0.1.0
 * @category models
 */
export interface QuotaKey {
  readonly requestsPerMinute: number
  readonly tokensPerMinute: number
  readonly burst: number
  readonly maxConcurrency: number | AdaptiveKey
}

/**
 * `AdaptiveOptions` with all said aloud. Equal by value.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdaptiveKey {
  readonly initial: number
  readonly min: number
  readonly max: number
  readonly backoff: number
  readonly growth: number
  readonly tolerance: number
}
