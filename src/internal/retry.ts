/**
 * The one retry policy, for every provider. Pure: it only says whether, and after how many milliseconds.
 *
 * A request that the provider certainly never worked on may always be sent again. One that it may have worked on is
 * sent again only where a repeat changes nothing but cost: reads, and generation.
 */
import * as RetryAfter from "./retryAfter.ts"
import type { WireError } from "./wire.ts"

/** The SDKs' own figures (openai `calculateDefaultRetryTimeoutMillis`): 0.5 s doubling up to 8 s. */
const FIRST_DELAY = 500
const LONGEST_DELAY = 8_000
/** A provider that asks for more is not waited for: the caller learns of it at once. */
const LONGEST_RETRY_AFTER = 60_000

/** Paths whose POST makes nothing that lasts: `/v1/messages`, say, and not `/v1/threads/{id}/messages`. */
const generation = /\/(completions|embeddings|moderations|(?<!\/threads\/[^/]*\/)messages)$/

/** Whether sending it twice does no harm. A caller's own Idempotency-Key says so too. */
export const repeatable = (method: string, path: string, headers: Readonly<Record<string, string>>): boolean => {
  if (method === "GET" || method === "HEAD" || headers["idempotency-key"] !== undefined) return true
  const end = path.indexOf("?")
  return method === "POST" && generation.test(end < 0 ? path : path.slice(0, end))
}

const retryableStatus = (status: number): boolean =>
  status === 408 || status === 409 || status === 429 || (status >= 500 && status <= 599)

/** Full jitter: anywhere between nothing and the exponential bound. */
const backoff = (attempt: number): number => Math.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1))

/** The delay before another attempt, `undefined` if there should be none. `attempt` counts those made. */
export const afterResponse = (
  response: { readonly status: number; readonly headers: Pick<Headers, "get"> },
  attempt: number,
  repeatable: boolean
): number | undefined => {
  const advice = response.headers.get("x-should-retry")
  if (advice === "false" || (advice !== "true" && !retryableStatus(response.status))) return undefined
  // A 429 was turned away before any work; all else may have been worked on.
  if (response.status !== 429 && !repeatable) return undefined
  const asked = RetryAfter.parse(response.headers) ?? 0
  return asked > LONGEST_RETRY_AFTER ? undefined : Math.max(asked, backoff(attempt))
}

export const afterError = (error: WireError, attempt: number, repeatable: boolean): number | undefined => {
  if (error.reason !== "Connection" && error.reason !== "FileDescriptors" && error.reason !== "Timeout")
    return undefined
  return error.processed === "no" || repeatable ? backoff(attempt) : undefined
}
