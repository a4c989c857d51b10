/**
 * What the holders of one credential may use together.
 *
 * @since 0.1.0
 * @category models
 */
export interface QuotaOptions {
  /**
   * Requests a minute, as the provider's limits page states them. `Infinity` is no limit.
   *
   * @default no limit of ours; the provider's Retry-After is obeyed all the same
   */
  readonly requestsPerMinute?: number | undefined
  /**
   * Requests on the wire at one time, streams included until their last byte. `Infinity` is no limit.
   *
   * @default no limit of ours
   */
  readonly maxConcurrency?: number | undefined
}

/**
 * `QuotaOptions` in canonical form: no limit is `Infinity`, however it was said. Equal by value.
 *
 * @since 0.1.0
 * @category models
 */
export interface QuotaKey {
  readonly requestsPerMinute: number
  readonly maxConcurrency: number
}
