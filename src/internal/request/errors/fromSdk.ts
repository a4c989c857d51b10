/**
 * The one place where what an SDK or a callback threw becomes ours. SDKs made by Stainless (openai, groq, cerebras,
 * anthropic) share their shape, not their classes; so this looks at shapes, loads no SDK, and serves custom ones.
 */
import * as Duration from "effect/Duration"
import {
  CallbackError,
  type ClientError,
  PoolError,
  type Processed,
  RequestError,
  type RequestReason
} from "../../../ClientError.ts"
import type { CallContext } from "../callContext.ts"
import { isUnreadable } from "../../http/answerJson.ts"
import { cleanError } from "../../redaction/redactError.ts"
import type { TurnedAway } from "../../quota/turnedAway.ts"
import * as RetryAfter from "../../wire/retryAfter.ts"
import * as Statuses from "../../http/statuses.ts"
import { scrub } from "../../redaction/redact.ts"
import { codeIn, messageIn } from "../../http/errorBody.ts"
import { jsonOrText, property } from "../../util/json.ts"
import { CircuitOpen, DeadlinePassed, WireError, type WireReason } from "../../wire/errors.ts"

const requestIdIn = (headers: Pick<Headers, "get">): string | undefined =>
  headers.get("x-request-id") ?? headers.get("request-id") ?? undefined

/** Provider and base URL, which every error carries. */
export interface ErrorOrigin {
  readonly provider: string
  readonly baseURL: string
}

/** The response header by which our fetch tells the error above how often it was sent. */
export const ATTEMPTS = "x-clientele-attempts"

/** The response header by which our fetch tells why no other attempt was made, though some were left. */
export const DENIED = "x-clientele-not-retried"

/** A failure with the reason for which no other attempt was made. One error may be that of many requests. */
export const withReason = (error: unknown, why: string): unknown => {
  if (!(error instanceof WireError)) return error
  const { cause, message, oddity, processed, reason, resent } = error
  const made = new WireError(reason, processed, `${message}; ${why}`, cause)
  made.oddity = oddity
  made.resent = resent
  return made
}

const withDenial = (detail: string, headers: Pick<Headers, "get">): string => {
  const why = headers.get(DENIED)
  return why === null ? detail : `${detail}; ${why}`
}

const statusReason = (status: number, code: unknown): RequestReason => {
  if (status === 401) return "Authentication"
  if (status === 403) return "Permission"
  if (status === 404) return "NotFound"
  if (status === 429) return code === "insufficient_quota" ? "QuotaExceeded" : "RateLimited"
  // A server that was too slow, or changed something meanwhile, says so with a client's status; the request was fine.
  return status >= 500 || status === 408 || status === 409 ? "Server" : "BadRequest"
}

/** Merges reasons that only the wire tells apart, and only for us. */
const reasonOf = (reason: Exclude<WireReason, "Closed" | "Capacity">): RequestReason =>
  reason === "Untrusted" ? "Connection" : reason === "Refused" ? "BadRequest" : reason

/** The reason of the error that `fromWire` makes. */
export const wordOf = ({ reason }: WireError): PoolError["reason"] | RequestReason =>
  reason === "Closed" || reason === "Capacity" ? reason : reasonOf(reason)

/** Outcome of the attempts before, which the failure of the whole request reports as well. */
export interface Earlier {
  /**
   * `processed` of the last of them that may have been worked on, "no" if none was: it counts if the last attempt's is
   * "no".
   */
  readonly processed: Processed
  /** The last failure that is known; only of requests that a deadline may end. */
  readonly failure: PoolError | RequestError | undefined
}

export const nothingYet: Earlier = { processed: "no", failure: undefined }

export const andThen = (earlier: Earlier, processed: Processed, failure: Earlier["failure"]): Earlier => ({
  processed: processed === "no" ? earlier.processed : processed,
  failure: failure ?? earlier.failure
})

/** The most that a message quotes of another. */
const MAX_EXCERPT_CHARACTERS = 300

/** Quotes, for a request whose deadline has passed, the failure that another attempt was about to mend. */
const mending = ({ failure }: Earlier): string => {
  if (failure === undefined) return ""
  const status = failure._tag === "RequestError" && failure.status !== undefined ? ` ${failure.status}` : ""
  return `; before that: ${failure.reason}${status}: ${failure.detail.slice(0, MAX_EXCERPT_CHARACTERS)}`
}

/** A wire failure as our own error. `Closed` and `Capacity` are no request's failures but the pool's. */
export const fromWire = (
  place: ErrorOrigin,
  error: WireError,
  attempts: number,
  earlier: Earlier = nothingYet
): PoolError | RequestError => {
  if (error.reason === "Closed" || error.reason === "Capacity") {
    return new PoolError({ ...place, reason: error.reason, detail: error.message, cause: error })
  }
  const isLate = error instanceof DeadlinePassed
  return new RequestError({
    ...place,
    reason: reasonOf(error.reason),
    detail: isLate ? error.message + mending(earlier) : error.message,
    retryAfter: error instanceof CircuitOpen ? Duration.millis(Math.ceil(error.left)) : undefined,
    processed: error.processed === "no" ? earlier.processed : error.processed,
    attempts,
    cause: (isLate ? earlier.failure : undefined) ?? error
  })
}

/** `processed` of a request by its response's status. Those rejected with 429 or 401 are not worked on. */
export const workOn = (status: number): Processed =>
  status === 429 || status === 401 ? "no" : Statuses.isKnown(status) ? "yes" : "maybe"

interface Answer {
  readonly response: Pick<Response, "headers" | "status">
  readonly code: unknown
  readonly detail: string
}

/** Error for a non-2xx response that another attempt follows. */
export const fromAnswer = (
  place: ErrorOrigin,
  { code, detail, response: { headers, status } }: Answer,
  attempts: number
): RequestError => {
  const retryAfter = RetryAfter.parse(headers)
  return new RequestError({
    ...place,
    reason: statusReason(status, code),
    detail,
    status,
    requestId: requestIdIn(headers),
    retryAfter: retryAfter === undefined ? undefined : Duration.millis(retryAfter),
    processed: Statuses.isKnown(status) ? "yes" : "maybe",
    attempts
  })
}

/** Error for a request that was turned away while it waited, or instead of waiting. */
export const fromTurnedAway = (
  place: ErrorOrigin,
  error: TurnedAway,
  attempts: number,
  earlier: Earlier
): PoolError | RequestError =>
  error.reason === "Capacity"
    ? new PoolError({ ...place, reason: "Capacity", detail: error.message, cause: error })
    : new RequestError({
        ...place,
        reason: error.reason,
        detail: error.message,
        retryAfter: error.retryAfter === undefined ? undefined : Duration.millis(Math.ceil(error.retryAfter)),
        processed: earlier.processed,
        attempts
      })

interface HttpError {
  readonly status: number
  readonly headers?: unknown
  readonly message: string
}

/** The `APIError` of a Stainless SDK: an answer came, and it was no success. */
const isHttpError = (u: unknown): u is HttpError =>
  u instanceof Error && "status" in u && typeof u.status === "number" && "headers" in u

const nameOf = (error: Error): string => (error.name === "Error" ? error.constructor.name : error.name)

/** openai takes the code out of the body; the others keep the body. */
const codeOf = (error: object): unknown => property(error, "code") ?? codeIn(property(error, "error"))

/**
 * The error that an event of a stream reports. openai and groq make of it an `APIError` without a status, cerebras a
 * failed connection, whose cause is the event's text, although all that our fetch sent was answered.
 */
const eventOf = (thrown: unknown, call: CallContext | undefined): unknown => {
  if (!(thrown instanceof Error) || !("status" in thrown) || thrown.status !== undefined) return undefined
  const error = property(thrown, "error")
  if (error !== undefined || call === undefined || call.failure !== undefined) return error
  if (nameOf(thrown) !== "APIConnectionError" || !(thrown.cause instanceof Error)) return undefined
  return jsonOrText(thrown.cause.message)
}

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

const fromHttp = (place: ErrorOrigin, error: HttpError): RequestError => {
  const headers = headersOf(error)
  const retryAfter = RetryAfter.parse(headers)
  return new RequestError({
    ...place,
    reason: statusReason(error.status, codeOf(error)),
    detail: withDenial(error.message, headers),
    status: error.status,
    requestId: requestIdIn(headers),
    retryAfter: retryAfter === undefined ? undefined : Duration.millis(retryAfter),
    processed: Statuses.isKnown(error.status) ? "yes" : "maybe",
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

/** Tells an answer that could not be parsed from a caller's own `JSON.parse` that failed: the call read it last. */
const isMalformedAnswer = (thrown: unknown, call: CallContext | undefined): thrown is SyntaxError =>
  thrown instanceof SyntaxError && call?.read !== undefined && isUnreadable(call.read)

/** True for an SDK's error. An error that the caller threw is the caller's own, and stays as it is. */
const isOfSdk = (thrown: unknown, call: CallContext): thrown is Error =>
  thrown instanceof Error &&
  ("status" in thrown || byName[nameOf(thrown)] !== undefined || isMalformedAnswer(thrown, call))

/** The reason that an SDK infers from a failure of ours. They look for "timeout" in its text. */
const looksLike = (reason: RequestReason): RequestReason => (reason === "QueueTimeout" ? "Timeout" : reason)

/** A PoolError or RequestError as the caller is to see it: with what was thrown as its cause. */
const because = (error: PoolError | RequestError, thrown: unknown): PoolError | RequestError =>
  error === thrown
    ? error
    : error._tag === "PoolError"
      ? new PoolError({ ...fields(error), cause: thrown })
      : new RequestError({ ...fields(error), cause: thrown })

export const fromThrown = ({ baseURL, provider }: ErrorOrigin, thrown: unknown, call?: CallContext): ClientError => {
  // A config is a place as well, and has much in it that is no error's to say.
  const place = { provider, baseURL }
  try {
    return classify(place, thrown, call)
  } catch {
    // To look at it throws: a getter, a revoked proxy. No SDK's then.
    return new CallbackError({ provider: place.provider, cause: thrown })
  }
}

const classify = (place: ErrorOrigin, thrown: unknown, call: CallContext | undefined): ClientError => {
  const attempts = call?.attempts ?? 1
  // Ours travel up through an SDK as the cause of its own error.
  let cause = thrown
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    if (cause === thrown && cause instanceof RequestError) return told(cause, call)
    if (cause instanceof PoolError || cause instanceof RequestError) return because(cause, thrown)
    if (cause instanceof WireError) return fromWire(place, cause, attempts)
    cause = cause.cause
  }
  if (isHttpError(thrown)) return fromHttp(place, thrown)
  const event = eventOf(thrown, call)
  const { hidden, secret } = call ?? {}
  // An event, or a parser that quotes what it could not read. All else that an SDK throws has been looked at before.
  if (call !== undefined && secret !== undefined && isOfSdk(thrown, call)) {
    for (const words of [thrown, event]) cleanError(words, (text) => scrub(text, secret, hidden?.() ?? []))
  }
  const of = (reason: RequestReason, processed: Processed) => {
    const detail = messageIn(event) ?? (thrown as Error).message
    return new RequestError({ ...place, reason, detail, processed, attempts, cause: thrown })
  }
  if (event !== undefined) return of(codeIn(event) === "insufficient_quota" ? "QuotaExceeded" : "Server", "yes")
  if (isMalformedAnswer(thrown, call)) return of("Malformed", "yes")
  const reason = thrown instanceof Error ? byName[nameOf(thrown)] : undefined
  if (reason === undefined) return new CallbackError({ provider: place.provider, cause: thrown })
  // Some SDKs drop the cause of a failed connection.
  const failure = call?.failure
  if (failure?._tag !== "RequestError" || looksLike(failure.reason) !== reason) return of(reason, "maybe")
  if (thrown instanceof Error) thrown.cause ??= failure
  return because(failure, thrown)
}

/** Redacts an error thrown by code that reads answers without an SDK, and found a failure in one with status 200. */
const told = (error: RequestError, call: CallContext | undefined): RequestError => {
  const { hidden, secret } = call ?? {}
  const detail = secret === undefined ? error.detail : scrub(error.detail, secret, hidden?.() ?? [])
  return detail === error.detail ? error : new RequestError({ ...fields(error), detail })
}

const fields = <E extends PoolError | RequestError>(error: E): E => ({ ...error })
