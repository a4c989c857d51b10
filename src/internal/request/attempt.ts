/**
 * One attempt to send a request, from its permit to the end of its answer's body. It is the handler of its exchange's
 * events: of the dispatch, of the head, of the body, of the end.
 */
import type * as Redacted from "effect/Redacted"
import { type Clean } from "../http/redactErrorBody.ts"
import type { LastRead } from "../http/answerJson.ts"
import { type SendOptions, sendRequest } from "../http/request.ts"
import { cleanEvents } from "../http/sse/redactEvents.ts"
import { isKnown } from "../http/statuses.ts"
import type { Timeouts, WireRequest, WireResponse } from "../http/types.ts"
import type { Subject } from "../overload/health.ts"
import type { Pass } from "../overload/lane.ts"
import { metering } from "../quota/metering.ts"
import type { Permit } from "../quota/permit.ts"
import { fillIn, scrub } from "../redaction/redact.ts"
import { cleanError } from "../redaction/redactError.ts"
import * as Attempts from "../telemetry/attempts.ts"
import { CircuitOpen, DeadlinePassed, WireError } from "../wire/errors.ts"
import type { CallContext } from "./callContext.ts"
import { wordOf } from "./errors/fromSdk.ts"
import { IDEMPOTENCY_KEY } from "./idempotency.ts"
import type { PoolKey } from "./keyPool.ts"
import type { RequestState } from "./requestState.ts"

/** All that an attempt needs, which it gives back. */
export interface AdmittedAttempt {
  readonly poolKey: PoolKey
  readonly subject: Subject
  readonly permit: Permit
  readonly pass: Pass
  /** The last that is known; what an answer refuses is what was sent. */
  secret: Redacted.Redacted
}

/**
 * While a request with a permit waited for a socket the gate closed, or its secret expired: it goes back, to its old
 * place in the line.
 */
const recalled = new WireError("Aborted", "no", "requeued: rate limited, or credential expired")

/** A response, whatever its status, or its failure; or why it was not sent, and has its turn again. */
export type AttemptOutcome = Response | WireError | "recalled" | "barred"

/** Header in which the SDKs made by Stainless report how often they have retried a request. */
const RETRY_COUNT = "x-stainless-retry-count"

export class RequestAttempt implements SendOptions {
  readonly #state: RequestState
  readonly #admission: AdmittedAttempt
  readonly timeouts: Timeouts
  readonly tap: SendOptions["tap"]
  readonly onTapped: SendOptions["onTapped"]
  readonly given: SendOptions["given"]
  /** The answer, while its body is open. Weakly, as in `CallContext.open`. */
  #open: WeakRef<Response> | undefined
  #isDispatched = false
  #isRecorded = false
  /** The answer is an error: its permit is kept until it has been read, since only then it is known what follows. */
  #isRefused = false
  #isOver = false

  /** `queue` is how many milliseconds it may wait for a socket. */
  constructor(state: RequestState, admission: AdmittedAttempt, queue: number) {
    const { call, demand, timeouts } = state
    const { permit } = admission
    this.#state = state
    this.#admission = admission
    this.timeouts = queue === Infinity ? timeouts : { ...timeouts, queue }
    this.given = call === undefined ? undefined : (read: LastRead) => (call.read = read)
    const meter = permit.tokens > 0 ? metering(permit, demand.cost(), (count) => state.metered?.used(count)) : undefined
    this.tap = meter?.tap
    this.onTapped = meter?.onTapped
  }

  get about(): WireRequest["about"] {
    return this.#state.demand
  }

  get tenant(): WireRequest["tenant"] {
    return this.#admission.poolKey.quota
  }

  get pass(): Pass {
    return this.#admission.pass
  }

  get signal(): SendOptions["signal"] {
    return this.#state.call?.signal
  }

  get deadline(): WireRequest["deadline"] {
    return this.#state.deadline
  }

  get listener(): SendOptions["listener"] {
    return this.#state.metered
  }

  get prints(): boolean {
    return this.#state.deps.prints
  }

  /** Rejects with the reason for which the caller aborted it, or once its deadline has passed. */
  async send(): Promise<AttemptOutcome> {
    const state = this.#state
    state.attempts++
    state.hold()
    state.deps.starts?.forSocket(1)
    try {
      const response = await sendRequest(state.deps.transport.pool, state.request, this)
      if (state.call !== undefined) this.#report(state.call, response)
      return response
    } catch (error) {
      this.#failed(error)
      if (error === recalled) return "recalled"
      if (error instanceof CircuitOpen) return "barred"
      if (error instanceof WireError && !(error instanceof DeadlinePassed)) return error
      throw error
    }
  }

  // A secret that was valid on admission may have changed by the time there is a socket.
  readonly seal = (headers: WireRequest["headers"]): WireRequest["headers"] => {
    const { attempts, deps, key } = this.#state
    const { permit, poolKey } = this.#admission
    const now = deps.ticker.now()
    // Another hop, or one that a server turned away unread, is no wait any more.
    if (!this.#isDispatched) this.#dispatched(now)
    permit.sent(now)
    this.#admission.secret = poolKey.secrets.peek() ?? this.#admission.secret
    const filled = fillIn(headers, deps.headers, this.#admission.secret, deps.authorize)
    if (key !== undefined) filled[IDEMPOTENCY_KEY] = key
    // SDKs count their own retries, which are off. What a caller wrote there stays.
    if (attempts > 1 && filled[RETRY_COUNT] === "0") filled[RETRY_COUNT] = String(attempts - 1)
    return filled
  }

  #dispatched(now: number): void {
    const { deps, socketWaitMs } = this.#state
    this.#isDispatched = true
    deps.starts?.sent()
    deps.recorder.dispatched(now - this.#admission.permit.sentAt + socketWaitMs)
    this.#state.socketWaitMs = 0
  }

  readonly recall = (): WireError | undefined => {
    const { permit, poolKey } = this.#admission
    if (permit.isOutdated) return recalled
    // Once: a secret may live shorter than the wait for a socket takes.
    if (this.#state.reloaded || !poolKey.secrets.isOver()) return undefined
    this.#state.reloaded = true
    return recalled
  }

  onHead(status: number, headers: WireResponse["headers"]): void {
    const { deps, metered } = this.#state
    const { permit } = this.#admission
    permit.answered(status, headers)
    metered?.answered(status)
    if (!isKnown(status)) deps.note({ kind: "status", value: String(status) })
    if (status >= 400) {
      this.#isRefused = true
      // Providers count no tokens for what they refuse.
      permit.settle(0, undefined)
    }
    this.#record(Attempts.outcomeOfStatus(status), status)
  }

  readonly clean = (): Clean => cleanEvents(this.#admission.secret, this.#state.hidden)

  cut(error: WireError): unknown {
    this.#redact(error)
    return this.#state.cut(error)
  }

  onEnd(cut: WireError | undefined): void {
    const { call, deps, metered } = this.#state
    this.#isOver = true
    if (cut !== undefined) metered?.cut(wordOf(cut))
    if (cut?.oddity !== undefined) deps.note(cut.oddity)
    if (this.#open !== undefined) call?.open?.delete(this.#open)
    if (!this.#isRefused) this.#admission.permit.leave()
    this.#state.letGo()
  }

  /** Tells the call what SDKs don't. */
  #report(call: CallContext, response: Response): void {
    const state = this.#state
    call.attempts = state.attempts
    call.secret = this.#admission.secret
    call.hidden = () => state.hidden
    if (response.status >= 400 || this.#isOver) return
    this.#open = new WeakRef(response)
    call.open ??= new Set()
    call.open.add(this.#open)
  }

  #failed(error: unknown): void {
    const { permit } = this.#admission
    const state = this.#state
    if (!this.#isDispatched) state.deps.starts?.unsent(error)
    // The body of an error was cut: there is nothing of it to be read.
    if (this.#isRefused) permit.leave()
    if (error instanceof WireError) {
      if (!this.#isRecorded && error.oddity !== undefined) state.deps.note(error.oddity)
      this.#redact(error)
    }
    // Any other error than a WireError is the reason with which the caller aborted the request.
    if (error instanceof WireError ? error.processed === "no" : !this.#isDispatched) permit.refund()
    if (error === recalled || error instanceof CircuitOpen) state.attempts--
    else if (!this.#isRecorded) {
      this.#record(error instanceof WireError ? Attempts.outcomeOfError(error) : "aborted", undefined)
    }
  }

  /**
   * The server's own words are in errors of answers: the type of a body, say, or where it redirects to; and in those of
   * connections, as the reason of a GOAWAY. Why a caller aborted is the caller's own to tell.
   */
  #redact(error: WireError): void {
    const isAnswered = error.processed === "yes" && error.reason !== "Aborted"
    if (!isAnswered && error.reason !== "Connection") return
    cleanError(error, (text) => scrub(text, this.#admission.secret, this.#state.hidden))
  }

  #record(outcome: Attempts.Outcome, status: number | undefined): void {
    const { attempts, call, deps, metered, request } = this.#state
    this.#isRecorded = true
    deps.recorder.ended(
      call?.span,
      {
        attempt: attempts,
        outcome,
        ms: deps.ticker.now() - this.#admission.permit.sentAt,
        method: request.method,
        protocol: deps.transport.pool.protocol,
        status
      },
      metered?.span
    )
  }
}
