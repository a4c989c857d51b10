/**
 * The errors that clientele fails with. Each is tagged and carries a closed `reason`; `message` names
 * the provider, the base URL and the cause, and never a secret. Text of providers in it is one line, with control
 * characters escaped.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import { oneLine } from "./internal/redaction/escapeControl.ts"
import { isTwin } from "./internal/options/twins.ts"

/**
 * An option is missing or can't be used. Raised before anything is built or sent.
 *
 * `received` describes the given value; of secrets it has only the shape.
 *
 * @since 0.1.0
 * @category errors
 */
export class OptionsError extends Data.TaggedError("OptionsError")<{
  readonly provider: string
  /** The option's path as the caller writes it, for instance `transport.maxConnections`. */
  readonly field: string
  /** The given value, or a description of it. Never a secret. */
  readonly received: string
  /** Description of valid values. */
  readonly expected: string
}> {
  /** Counts what the Promise API throws, which is an instance of the SDK's own class. @internal */
  static override [Symbol.hasInstance](u: unknown): boolean {
    return (this === OptionsError && isTwin(u)) || Function.prototype[Symbol.hasInstance].call(this, u)
  }
  override get message(): string {
    return `${this.provider}: option ${this.field} is ${this.received}; expected ${this.expected}`
  }
}

/**
 * Reasons why a client was not lent, or a request not accepted:
 *
 * - `Closed`: its `ClientLayer` has been shut down.
 * - `Capacity`: `maxClients` was reached, and nothing went idle within `acquireTimeout`; or a queue of requests is
 *   full, and this one was not sent: `transport.maxQueue` and `maxQueueBytes` for sockets, `quota.maxWaiters` for
 *   quota.
 * - `Construct`: the SDK's own constructor threw; see `cause`.
 * - `Released`: the client was kept beyond its scope.
 *
 * @since 0.1.0
 * @category errors
 */
export type PoolReason = "Closed" | "Capacity" | "Construct" | "Released"

/**
 * A client could not be lent, or a request not be taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class PoolError extends Data.TaggedError("PoolError")<{
  readonly reason: PoolReason
  readonly provider: string
  readonly baseURL: string
  /** The failure, and what to do about it. */
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return oneLine(`${this.provider} (${this.baseURL}): ${this.detail}`)
  }
}

/**
 * Reasons why a request failed, after the retries that `maxRetries` allows:
 *
 * - `RateLimited`: status 429; `retryAfter` is the wait that the provider asked for, if any.
 * - `QuotaExceeded`: the account's quota is used up, which no wait cures.
 * - `QueueTimeout`: it waited longer than `queueTimeout` for quota or a socket, and was not sent.
 * - `Timeout`: `timeout`, `bodyTimeout`, `deadline` or `connectTimeout` passed. After the deadline `cause` is the last
 *   failure, if there was one.
 * - `Connection`: no connection, or one that broke before or during the response, or a server whose certificate is not
 *   trusted, or a proxy (`transport.proxy`) that refuses the tunnel. Also an event stream that ends early: without
 *   `[DONE]`, a finish reason or another last event. Or the circuit is open and nothing was sent
 *   (`transport.circuitFailures`).
 * - `FileDescriptors`: this process may not open another socket; see `maxSockets` of the client layer, and `ulimit -n`.
 * - `Authentication`: status 401, or a `Credential` that could not be loaded.
 * - `Permission`: status 403. `NotFound`: status 404. `BadRequest`: any other status below 500, or a request that can't
 *   be sent at all, or only to a forbidden place: to another origin by a redirect, say.
 * - `Server`: status 500 and above, 408 and 409, or an error that the provider sent in a stream, or with status 200 in
 *   place of an answer.
 * - `Malformed`: a response that is invalid HTTP, or other than the expected JSON: truncated, an HTML page, empty,
 *   events where one answer was requested; or other than the expected events; one with an unknown content coding, or
 *   one larger than the limits of `transport` (`maxResponseBytes` and others).
 * - `Aborted`: by a signal, or because its body was left unread.
 *
 * @since 0.1.0
 * @category errors
 */
export type RequestReason =
  | "RateLimited"
  | "QuotaExceeded"
  | "QueueTimeout"
  | "Timeout"
  | "Connection"
  | "FileDescriptors"
  | "Authentication"
  | "Permission"
  | "NotFound"
  | "BadRequest"
  | "Server"
  | "Malformed"
  | "Aborted"

/**
 * Possibility that the provider processed a failed request: `no` if the provider certainly never received it, `yes` if
 * it responded, `maybe` in all other cases, since the wire looks the same either way. After retries it is that of the
 * last attempt that reached the provider.
 *
 * @since 0.1.0
 * @category errors
 */
export type Processed = "no" | "maybe" | "yes"

/**
 * A request that was made and did not succeed.
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestError extends Data.TaggedError("RequestError")<{
  readonly reason: RequestReason
  readonly provider: string
  readonly baseURL: string
  readonly detail: string
  /** The HTTP status, if an answer came. */
  readonly status?: number | undefined
  /** The provider's own id of the request, to quote to its support. */
  readonly requestId?: string | undefined
  /** The wait that the provider asked for, or the time until the next probe of an open circuit. */
  readonly retryAfter?: Duration.Duration | undefined
  readonly processed: Processed
  /** Times it was sent, the first included. */
  readonly attempts: number
  readonly cause?: unknown
}> {
  override get message(): string {
    const status = this.status === undefined ? "" : ` ${this.status}`
    const attempts = this.attempts > 1 ? ` (${this.attempts} attempts)` : ""
    return oneLine(`${this.provider} (${this.baseURL}): ${this.reason}${status}: ${this.detail}${attempts}`)
  }
}

/** Anything can be thrown, and reading some of it throws. */
const textOf = (thrown: unknown): string => {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    return "the thrown value can't be read"
  }
}

/**
 * The callback threw an error that is neither the SDK's nor clientele's; see `cause`.
 *
 * @since 0.1.0
 * @category errors
 */
export class CallbackError extends Data.TaggedError("CallbackError")<{
  readonly provider: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.provider}: the callback failed: ${textOf(this.cause)}`
  }
}

/**
 * Everything that can go wrong between an agent and its provider.
 *
 * @since 0.1.0
 * @category errors
 */
export type ClientError = OptionsError | PoolError | RequestError | CallbackError
