/**
 * The one place where what an SDK or a callback threw becomes ours. SDKs made by Stainless (openai, groq, cerebras,
 * anthropic) share their shape, not their classes; so this looks at shapes, loads no SDK, and serves custom ones.
 */
import * as Duration from "effect/Duration"
import { CallbackError, type ClientError, PoolError, RequestError, type RequestReason } from "../ClientError.ts"
import * as RetryAfter from "./retryAfter.ts"
import { WireError } from "./wire.ts"

/** What every error says of where it happened. */
export interface Place {
  readonly provider: string
  readonly baseURL: string
}

/** The response header by which our fetch tells the error above how often it was sent. */
export const ATTEMPTS = "x-clientele-attempts"

const statusReason = (status: number, code: unknown): RequestReason => {
  if (status === 401) return "Authentication"
  if (status === 403) return "Permission"
  if (status === 404) return "NotFound"
  if (status === 408) return "Timeout"
  if (status === 429) return code === "insufficient_quota" ? "QuotaExceeded" : "RateLimited"
  return status >= 500 ? "Server" : "BadRequest"
}

/** A wire failure as our own error. `Closed` is no request's failure but the pool's. */
export const fromWire = (place: Place, error: WireError, attempts: number): PoolError | RequestError =>
  error.reason === "Closed"
    ? new PoolError({ ...place, reason: "Closed", detail: error.message, cause: error })
    : new RequestError({
        ...place,
        reason: error.reason,
        detail: error.message,
        processed: error.processed,
        attempts,
        cause: error
      })

interface HttpError {
  readonly status: number
  readonly headers?: unknown
  readonly code?: unknown
  readonly message: string
}

/** The `APIError` of a Stainless SDK: an answer came, and it was no success. */
const isHttpError = (u: unknown): u is HttpError =>
  u instanceof Error && "status" in u && typeof u.status === "number" && "headers" in u

const headersOf = (error: HttpError): Pick<Headers, "get"> => {
  const headers = error.headers
  if (headers instanceof Headers) return headers
  const record = (typeof headers === "object" && headers !== null ? headers : {}) as Record<string, unknown>
  return {
    get: (name) => {
      const value = record[name]
      return typeof value === "string" ? value : null
    }
  }
}

const fromHttp = (place: Place, error: HttpError): RequestError => {
  const headers = headersOf(error)
  const retryAfter = RetryAfter.parse(headers)
  return new RequestError({
    ...place,
    reason: statusReason(error.status, error.code),
    detail: error.message,
    status: error.status,
    requestId: headers.get("x-request-id") ?? headers.get("request-id") ?? undefined,
    retryAfter: retryAfter === undefined ? undefined : Duration.millis(retryAfter),
    processed: "yes",
    attempts: Number(headers.get(ATTEMPTS) ?? 1),
    cause: error
  })
}

/** SDKs name what has no status: `APIConnectionError`, `APIUserAbortError`, ... */
const byName: Readonly<Record<string, RequestReason>> = {
  APIConnectionTimeoutError: "Timeout",
  APIConnectionError: "Connection",
  APIUserAbortError: "Aborted",
  AbortError: "Aborted"
}

const nameOf = (error: Error): string => (error.name === "Error" ? error.constructor.name : error.name)

export const fromThrown = (place: Place, thrown: unknown): ClientError => {
  // Ours travel up through an SDK as the cause of its own error.
  let cause = thrown
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    if (cause instanceof PoolError || cause instanceof RequestError) {
      if (cause === thrown) return cause
      return cause._tag === "PoolError"
        ? new PoolError({ ...fields(cause), cause: thrown })
        : new RequestError({ ...fields(cause), cause: thrown })
    }
    if (cause instanceof WireError) return fromWire(place, cause, 1)
    cause = cause.cause
  }
  if (isHttpError(thrown)) return fromHttp(place, thrown)
  const reason = thrown instanceof Error ? byName[nameOf(thrown)] : undefined
  if (reason !== undefined) {
    const { message } = thrown as Error
    return new RequestError({ ...place, reason, detail: message, processed: "maybe", attempts: 1, cause: thrown })
  }
  return new CallbackError({ provider: place.provider, cause: thrown })
}

const fields = <E extends PoolError | RequestError>(error: E): E => ({ ...error })
