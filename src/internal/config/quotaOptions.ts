/**
 * Limits that all holders of one credential share. Providers count each model by itself (Azure: each deployment), and
 * so do these limits: a model that has used up its budget holds no other one up.
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
   * reserves an estimate, which the usage in its response corrects. Without usage it costs its prompt and the received
   * part: an event of a stream counts as a token, and so do four characters of JSON. If the provider reports a smaller
   * rest (`x-ratelimit-remaining-tokens`), the difference is taken as well.
   *
   * @default no limit of ours; the provider's Retry-After is obeyed all the same
   */
  readonly tokensPerMinute?: number | undefined
  /**
   * Requests to a model that may be sent at once after a pause; an integer of at least 1. Any 60 seconds hold at most
   * `requestsPerMinute + burst - 1` requests, so 1 never exceeds what providers count over a minute.
   *
   * @default 1
   */
  readonly burst?: number | undefined
  /**
   * Requests to each model that are on the wire at one time, streams included until their last byte; an integer of at
   * least 1. `Infinity` is no limit; `"adaptive"` finds the number, as `AdaptiveOptions` describe.
   *
   * @default no limit of ours
   */
  readonly maxConcurrency?: number | "adaptive" | AdaptiveOptions | undefined
  /**
   * Most requests to each model that may wait; an integer of at least 1, or `Infinity`. One more fails at once, unsent,
   * with `PoolError` `Capacity`, since our own queue is full, not a limit of the provider; waiting requests are not
   * affected. A retry is let in all the same.
   *
   * @default 100,000, as `transport.maxQueue`, and for the same reason
   */
  readonly maxWaiters?: number | undefined
  /**
   * Retries a second to a model that does not respond; a number above 0, or `false` for no budget. The budget starts
   * with 100, or as many as are in flight, and each response pays for seven more, up to twice as many as requests are
   * usually in flight. A retry beyond it waits beside the queue (`maxRetryAfter` bounds that), behind all first attempts.
   * Connections that are lost within 100 ms have one cause, and cost one.
   *
   * @default 10, as Finagle's `minRetriesPerSec`. docs/overload.md has the reasons
   */
  readonly retriesPerSecond?: number | false | undefined
}

/**
 * Settings of `maxConcurrency: "adaptive"`, which finds a model's capacity. It is TCP's congestion
 * control, with a refusal (429, 503) in the place of a lost packet: slow start (RFC 5681) from `initial`, until the
 * first refusal or until responses take longer; then CUBIC (RFC 9438), which gives up a part at a refusal, is soon back
 * where it was, and beyond that grows the faster the longer nothing happens. Absent fields have their defaults.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdaptiveOptions {
  /**
   * The concurrency to begin with; an integer from `min` to `max`.
   *
   * @default 10, TCP's initial window (RFC 6928), or what is nearest to it between `min` and `max`
   */
  readonly initial?: number | undefined
  /**
   * It never falls below this integer, which is at least 1.
   *
   * @default 1: a model that refuses everything is still asked, one request at a time
   */
  readonly min?: number | undefined
  /**
   * It never grows above this integer, which is at least `min`. `Infinity` is no bound.
   *
   * @default Infinity
   */
  readonly max?: number | undefined
  /**
   * Factor by which a refusal multiplies the concurrency: a number above 0 and below 1, the beta of CUBIC.
   *
   * @default 0.8, as BIC has it. CUBIC's own 0.7 (RFC 9438, section 4.6) leaves more of the capacity unused
   */
  readonly backoff?: number | undefined
  /**
   * Steepness of the growth: the C of CUBIC, a finite number above 0. The concurrency is back where it was refused the
   * cube root of `concurrency * (1 - backoff) / growth` seconds later, or more where responses take above a second.
   *
   * @default 1. With the 0.4 of CUBIC (RFC 9438, section 5) that takes a third longer
   */
  readonly growth?: number | undefined
  /**
   * Factor by which responses may take longer than usual before the concurrency is lowered for it, on trial: it goes back
   * up if half of it did not help. A number of at least 1; `Infinity` reacts to refusals alone.
   *
   * @default 2. Gradient2 of Netflix's concurrency-limits has 1.5, but answers of models vary more
   */
  readonly tolerance?: number | undefined
}

/**
 * `QuotaOptions` in canonical form: no limit is `Infinity`. Equal by value.
 *
 * @since 0.1.0
 * @category models
 */
export interface QuotaKey {
  readonly requestsPerMinute: number
  readonly tokensPerMinute: number
  readonly burst: number
  readonly maxConcurrency: number | AdaptiveKey
  readonly maxWaiters: number
  /** `Infinity` for no budget. */
  readonly retriesPerSecond: number
}

/**
 * `AdaptiveOptions` with all defaults. Equal by value.
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
