/** Prices of models. */

/**
 * US dollars for a million tokens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Price {
  readonly input: number
  readonly output: number
  /** @default input */
  readonly cachedInput?: number | undefined
}

/**
 * Prices by "provider:model", or by model alone, which holds for all providers.
 *
 * @since 0.1.0
 * @category models
 */
export type Prices = Readonly<Record<string, Price>>
