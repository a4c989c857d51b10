/** The least and the longest that a batch waits before it gives a row up. */
export const PATIENCE = { maxRetries: 8, maxRetryAfter: 600_000 } as const
