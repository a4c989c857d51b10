/** One attempt to send a request, from its permit to the end of its answer's body. */
import * as Equal from "effect/Equal"
import type * as Redacted from "effect/Redacted"
import type { Handle } from "../../LeaseMap.ts"
import type { Transport } from "../../Transport.ts"
import type { PoolKey, KeyPool } from "./keyPool.ts"
import * as Attempts from "../telemetry/attempts.ts"
import type { CallContext } from "./callContext.ts"
import type { Deadline } from "./deadline.ts"
import { type Earlier, type Place, wordOf } from "./errors/fromSdk.ts"
import { cleanEvents } from "../http/sse/redactEvents.ts"
import { type PreparedRequest, exchange } from "../http/request.ts"
import { cleanError } from "../redaction/redactError.ts"
import type { Pass } from "../overload/lane.ts"
import type { Demand } from "../quota/demand.ts"
import { metering } from "../quota/metering.ts"
import type { Permit } from "../quota/permit.ts"
import type { RetryAmbiguous } from "../config/make.ts"
import { IDEMPOTENCY_KEY } from "./idempotency.ts"
import { type Authorize, fillIn, hiddenWith, scrub } from "../redaction/redact.ts"
import { isKnown } from "../http/statuses.ts"
import type { Call, Calls } from "../telemetry/calls.ts"
import type { Ticker } from "../util/ticker.ts"
import { CircuitOpen, type Oddity, WireError } from "../wire/errors.ts"
import type { Timeouts } from "../http/types.ts"

/** Dependencies that all requests of a client share. */
export interface RequestDeps {
  readonly place: Place
  readonly transport: Pick<Transport, "origin" | "pool">
  /** One for each credential, of which there is at least one. */
  readonly accounts: KeyPool
  readonly authorize: Authorize | undefined
  /** The configured headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Secrets in the configured headers and parameters, which errors must not contain. */
  readonly hidden: ReadonlyArray<string>
  readonly lease: Pick<Handle, "retain" | "join" | "release">
  /** True once the client layer has been closed, which ends all leases. */
  readonly isClosed: () => boolean
  readonly timeouts: Timeouts
  /** Milliseconds for a whole request, `Infinity` for none. */
  readonly deadline: number
  readonly maxRetries: number
  readonly retryAmbiguous: RetryAmbiguous
  readonly maxRetryAfter: number
  /** The value of `Definition.printsEvents`. */
  readonly prints: boolean
  readonly queueTimeout: number
  readonly ticker: Ticker
  readonly recorder: Attempts.AttemptRecorder
  readonly calls: Calls
  /** Told of what nothing here has heard of. */
  readonly note: (oddity: Oddity) => void
  /** Called with +1 and -1 as requests come and go. */
  readonly count: (change: 1 | -1) => void
}

/** State that all attempts of one request share. */
export interface Underway {
  readonly call: CallContext | undefined
  readonly timeouts: Timeouts
  readonly deadline: Deadline | undefined
  /** Outcome of the attempts before this one, which the request's own failure reports as well. */
  before: Earlier
  /** Passed on as `SendOptions.cut`, after redaction. */
  readonly cut: (error: WireError) => unknown
  /** Texts beside the key that no error may contain, set at first use: see `hiddenOf`. */
  hidden: ReadonlyArray<string> | undefined
  /** Number of times it was sent. */
  attempts: number
  /** The Idempotency-Key that all attempts carry, where the caller gave none; by itself it permits no repetition. */
  key: string | undefined
  /** Its model, its cost and whether it asks for events, once the request has been prepared. */
  about: Demand | undefined
  /** Records its span and its metrics, if they are wanted and no caller records them. */
  metered: Call | undefined
  /** True once it was requeued for a new secret. */
  reloaded: boolean
  /** The request holds its lease, and so does each attempt until its body has ended. */
  readonly hold: () => void
  readonly letGo: () => void
}

/** One attempt that may be made. */
export interface Admission {
  readonly account: PoolKey
  readonly permit: Permit
  /** The last that is known; what an answer refuses is what was sent. */
  secret: Redacted.Redacted
}

/**
 * Resolves to true if there is another secret than the one that was refused. To false if that can't be loaded: the 401
 * is the more useful error.
 */
export const renew = async ({ account, secret }: Admission, signal: AbortSignal | undefined): Promise<boolean> => {
  const { secrets } = account
  if (!secrets.refused(secret)) return false
  try {
    return !Equal.equals(secrets.peek() ?? (await secrets.load(signal)), secret)
  } catch (error) {
    if (signal?.aborted === true) throw error
    return false
  }
}

/**
 * While a request with a permit waited for a socket the gate closed, or its secret expired: it goes back, to its old
 * place in the line.
 */
export const recalled = new WireError("Aborted", "no", "requeued: rate limited, or credential expired")

export const hiddenOf = (wiring: RequestDeps, underway: Underway, request: PreparedRequest): ReadonlyArray<string> =>
  (underway.hidden ??= hiddenWith(wiring.hidden, request.headers))

/** Header in which the SDKs made by Stainless report how often they have retried a request. */
const RETRY_COUNT = "x-stainless-retry-count"

/**
 * One attempt: an answer, whatever its status, or a WireError. The permit is given back with its body, but that of an
 * error only when it has been read: until then nobody knows whether the next had better not be sent.
 */
export const attempt = async (
  wiring: RequestDeps,
  underway: Underway,
  request: PreparedRequest,
  admission: Admission,
  pass: Pass,
  queue: number
): Promise<Response> => {
  const { ticker } = wiring
  const { pool } = wiring.transport
  const { call, metered, timeouts } = underway
  const { account, permit } = admission
  underway.attempts++
  underway.hold()
  let open: WeakRef<Response> | undefined
  let over = false
  let sent = false
  let told = false
  let kept = false
  const hidden = () => hiddenOf(wiring, underway, request)
  /**
   * The server's own words are in errors of answers: the type of a body, say, or where it redirects to; and in those of
   * connections, as the reason of a GOAWAY. Why a caller aborted is the caller's own to tell.
   */
  const clean = (error: WireError): void => {
    const isAnswered = error.processed === "yes" && error.reason !== "Aborted"
    if (!isAnswered && error.reason !== "Connection") return
    cleanError(error, (text) => scrub(text, admission.secret, hidden()))
  }
  const ended = (outcome: Attempts.Outcome, status: number | undefined) => {
    told = true
    wiring.recorder.ended(
      call?.span,
      {
        attempt: underway.attempts,
        outcome,
        ms: ticker.now() - permit.sentAt,
        method: request.method,
        protocol: pool.protocol,
        status
      },
      metered?.span
    )
  }
  try {
    const response = await exchange(pool, request, {
      timeouts: queue === Infinity ? timeouts : { ...timeouts, queue },
      about: underway.about,
      tenant: account.quota,
      pass,
      signal: call?.signal,
      deadline: underway.deadline,
      cut: (error) => {
        clean(error)
        return underway.cut(error)
      },
      // A secret that was valid on admission may have changed by the time there is a socket.
      seal: (headers) => {
        const now = ticker.now()
        // Another hop, or one that a server turned away unread, is no wait any more.
        if (!sent) wiring.recorder.dispatched(now - permit.sentAt)
        sent = true
        permit.sent(now)
        admission.secret = account.secrets.peek() ?? admission.secret
        const filled = fillIn(headers, wiring.headers, admission.secret, wiring.authorize)
        if (underway.key !== undefined) filled[IDEMPOTENCY_KEY] = underway.key
        // SDKs count their own retries, which are off. What a caller wrote there stays.
        if (underway.attempts > 1 && filled[RETRY_COUNT] === "0") filled[RETRY_COUNT] = String(underway.attempts - 1)
        return filled
      },
      recall: () => {
        if (permit.isOutdated) return recalled
        // Once: a secret may live shorter than the wait for a socket takes.
        if (underway.reloaded || !account.secrets.isOver()) return undefined
        underway.reloaded = true
        return recalled
      },
      onHead: (status, headers) => {
        permit.answered(status, headers)
        metered?.answered(status)
        if (!isKnown(status)) wiring.note({ kind: "status", value: String(status) })
        if (status >= 400) {
          kept = true
          // Providers count no tokens for what they refuse.
          permit.settle(0, undefined)
        }
        ended(Attempts.outcomeOfStatus(status), status)
      },
      listener: metered,
      clean: () => cleanEvents(admission.secret, hidden()),
      prints: wiring.prints,
      given: call === undefined ? undefined : (read) => (call.read = read),
      ...(permit.tokens > 0 && metering(permit, underway.about?.cost(), (count) => metered?.used(count))),
      onEnd: (cut) => {
        over = true
        if (cut !== undefined) metered?.cut(wordOf(cut))
        if (cut?.oddity !== undefined) wiring.note(cut.oddity)
        if (open !== undefined) call!.open!.delete(open)
        if (!kept) permit.leave()
        underway.letGo()
      }
    })
    if (call !== undefined) {
      call.attempts = underway.attempts
      call.secret = admission.secret
      call.hidden = hidden
      if (response.status < 400 && !over) (call.open ??= new Set()).add((open = new WeakRef(response)))
    }
    return response
  } catch (error) {
    // The body of an error was cut: there is nothing of it to be read.
    if (kept) permit.leave()
    if (!told && error instanceof WireError && error.oddity !== undefined) wiring.note(error.oddity)
    if (error instanceof WireError) clean(error)
    // Any other error than a WireError is the reason with which the caller aborted the request.
    if (error instanceof WireError ? error.processed === "no" : !sent) permit.refund()
    if (error === recalled || error instanceof CircuitOpen) underway.attempts--
    else if (!told) ended(error instanceof WireError ? Attempts.outcomeOfError(error) : "aborted", undefined)
    throw error
  }
}
