/** Requests that were not sent because of the provider's answer to another one: the answer that they would have had. */
import * as Duration from "effect/Duration"
import type { PoolError, RequestError } from "../../ClientError.ts"

export interface UnsentResponse {
  readonly status: number
  /** The object of OpenAI's error bodies. */
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: null
    readonly code: string
  }
  readonly headers: Headers
}

const known = (failure: PoolError | RequestError): readonly [status: number, code: string] | undefined => {
  switch (failure.reason) {
    case "RateLimited":
      return [429, "rate_limit_exceeded"]
    case "QuotaExceeded":
      return [429, "insufficient_quota"]
    case "Authentication":
      // A credential that could not be loaded has a cause, and no provider refused it.
      return failure.cause === undefined ? [401, "invalid_api_key"] : undefined
    default:
      return undefined
  }
}

/** `undefined` for all other failures. */
export const answerOf = (failure: PoolError | RequestError): UnsentResponse | undefined => {
  const found = known(failure)
  if (found === undefined) return undefined
  const [status, code] = found
  const headers = new Headers()
  if ("retryAfter" in failure && failure.retryAfter !== undefined) {
    const millis = Duration.toMillis(failure.retryAfter)
    headers.set("retry-after", String(Math.ceil(millis / 1000)))
    headers.set("retry-after-ms", String(Math.ceil(millis)))
  }
  return { status, error: { message: failure.detail, type: code, param: null, code }, headers }
}
