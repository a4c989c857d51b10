/**
 * Keeps retries a small share of all requests, so that a provider that is down isn't asked several times over by
 * everyone who waits for it.
 *
 * A token bucket as Finagle's `RetryBudget` has it: each first attempt deposits a part of a retry, each retry takes a
 * whole one, and what a quiet client may do is a reserve. The share of 0.1 is gRPC's `tokenRatio` in its own examples
 * (gRFC A6, "Throttling Retry Attempts and Hedged RPCs"); Finagle's default is 0.2. Finagle lets deposits expire after
 * ten seconds and adds ten retries a second; here the bucket holds a bounded sum instead, which needs no clock.
 */

/** Counted in tenths of a retry: whole numbers don't drift, as a sum of 0.1 does. */
const RETRY = 10

/** What a first attempt adds: a tenth of a retry. */
const DEPOSIT = 1

/** What it starts with, 10 retries: Finagle's `minRetriesPerSec` and gRPC's `maxTokens` are 10 too. */
const START = 10 * RETRY

/** What it holds at most, 100 retries: what 1,000 requests without trouble have earned. */
const MOST = 100 * RETRY

export interface RetryBudget {
  /** Says that a first attempt is made. */
  readonly request: () => void
  /** Whether a retry may be made now. If so it is counted. */
  readonly take: () => boolean
  /** Whether it allows no less than a new one. */
  readonly isRested: () => boolean
}

/** A budget of its own: of any number of requests, at most a tenth and 10 more are repeated. */
export const make = (): RetryBudget => {
  let tokens = START
  return {
    request: () => {
      tokens = Math.min(tokens + DEPOSIT, MOST)
    },
    take: () => {
      if (tokens < RETRY) return false
      tokens -= RETRY
      return true
    },
    isRested: () => tokens >= START
  }
}
