/**
 * Tokens that the provider has counted and we have not: the use of others on the same account, and the cost of
 * responses that reported no usage. Response headers have the rest, and the time at which the budget will be full
 * again.
 */
import type { TokensLeft } from "./rateLimitHeaders.ts"

const MINUTE_MS = 60_000
/** Parts of a minute's budget that are no matter: both sides count by estimates, and at different moments. */
const TOLERATED_SHARE = 0.05

export interface Ours {
  readonly tokensPerMinute: number
  /** Tokens left of a minute's budget, by our count. */
  readonly left: number
  /** Tokens taken for requests that are in flight: providers may have taken as much, and give some of it back. */
  readonly inFlight: number
}

/**
 * Tokens by which our schedule exceeds the rest, 0 if it does not. Until the reset we would let go the tokens that come
 * free in that time. A provider that counts by windows gives no more than the rest until then, one whose budget fills
 * evenly gives more: so no use is slowed down that either of them can bear. Budgets may differ in size: if theirs is
 * the larger, the rest is more than we would use.
 */
export const overdraft = (
  { limit, remaining, reset }: TokensLeft,
  { inFlight, left, tokensPerMinute }: Ours
): number => {
  if (remaining > limit) return 0
  // Without a reset time that a minute's budget can have, it is that of one which fills evenly.
  const ms = reset !== undefined && reset <= MINUTE_MS ? reset : (1 - remaining / limit) * MINUTE_MS
  const planned = (tokensPerMinute * ms) / MINUTE_MS - (tokensPerMinute - left)
  const over = Math.min(tokensPerMinute, planned - remaining - inFlight)
  return over > TOLERATED_SHARE * tokensPerMinute ? Math.ceil(over) : 0
}
