/**
 * One request, from the call to the head of its answer: pick a credential, wait for the policy's leave and for a turn,
 * send, and decide what follows. Plain promises: this is the path of every request.
 */
import type { PoolKey } from "./keyPool.ts"
import { type Admission, attempt, hiddenOf, recalled, renew, type Underway, type RequestDeps } from "./attempt.ts"
import * as Attempts from "../telemetry/attempts.ts"
import { refused } from "./errors/unsent.ts"
import * as Failure from "./errors/fromSdk.ts"
import type { PreparedRequest } from "../http/request.ts"
import type { Subject } from "../overload/health.ts"
import { Pass } from "../overload/lane.ts"
import * as Retry from "../overload/retry.ts"
import type { Verdict } from "../overload/waiting.ts"
import type { Demand } from "../quota/demand.ts"
import { isRefusal } from "../quota/permit.ts"
import { TurnedAway } from "../quota/turnedAway.ts"
import * as Refusal from "./errors/errorResponse.ts"
import * as Repeat from "./idempotency.ts"
import { scrub } from "../redaction/redact.ts"
import { sleep } from "../util/ticker.ts"
import { isSpent } from "../transport/upload.ts"
import { CircuitOpen, DeadlinePassed, WireError } from "../wire/errors.ts"

/** Names the reason that an answer has for the whole credential, if it has one. */
const concern = (status: number, code: unknown): "QuotaExceeded" | "Authentication" | undefined =>
  status === 401 ? "Authentication" : code === "insufficient_quota" ? "QuotaExceeded" : undefined

/** The last attempt's failure: what the caller gets, unless another attempt fares better. */
type Failed = { readonly answer: Response } | { readonly error: unknown }

/** Tells the caller of the failure, and why no other attempt was made. */
const tell = (failed: Failed, why?: string): Response => {
  if ("answer" in failed) {
    if (why !== undefined) failed.answer.headers.set(Failure.DENIED, why)
    return failed.answer
  }
  throw why === undefined ? failed.error : Failure.withReason(failed.error, why)
}

/** An answer, or another turn of the loop. */
type Turn = Response | "again"

export interface LoopOptions {
  readonly wiring: RequestDeps
  readonly underway: Underway
  readonly request: PreparedRequest
  readonly demand: Demand
  readonly maxRetries: number
  /** The caller's own, the call's, and that of the client: made when it is first needed. */
  readonly signal: () => AbortSignal
}

export class RequestLoop {
  readonly #wiring: RequestDeps
  readonly #underway: Underway
  readonly #request: PreparedRequest
  readonly #demand: Demand
  readonly #maxRetries: number
  readonly #signal: () => AbortSignal
  readonly #retries: Retry.Retries
  /** Milliseconds that it has waited because of failures. */
  #waited = 0
  #pass: Pass | undefined
  #failed: Failed | undefined
  #failedWith: PoolKey | undefined
  #firstFailedAt: number | undefined
  /** The next attempt needs a retry from the budget, or leave to go as a circuit is open. */
  #owes: "retry" | "leave" | undefined
  #renewed = false
  #passedOn = 0
  /** It has had its turn once. */
  #counted = false
  #until: number | undefined

  constructor({ demand, maxRetries, request, signal, underway, wiring }: LoopOptions) {
    this.#wiring = wiring
    this.#underway = underway
    this.#request = request
    this.#demand = demand
    this.#maxRetries = maxRetries
    this.#signal = signal
    this.#retries = new Retry.Retries(maxRetries, wiring.maxRetryAfter)
  }

  async run(): Promise<Response> {
    try {
      for (;;) {
        const turn = await this.#turn()
        if (turn !== "again") return turn
      }
    } catch (error) {
      const isGated = error instanceof TurnedAway && error.reason === "RateLimited"
      if (!isGated || this.#failed === undefined) throw error
      return tell(this.#failed, `not retried: ${error.message}`)
    } finally {
      this.#drop()
    }
  }

  get #health() {
    return this.#wiring.transport.pool.health
  }

  async #turn(): Promise<Turn> {
    const { accounts, ticker } = this.#wiring
    this.#underway.deadline?.check()
    const account = accounts.choose(this.#demand, this.#isAvoided)
    const subject = this.#subjectOf(account)
    const lane = this.#health.laneOf(subject)
    if (this.#pass !== undefined && (this.#pass.lane !== lane || this.#health.isRecalled(this.#pass))) this.#drop()
    if (this.#pass === undefined && (this.#owes !== undefined || !this.#health.isFlowing(lane))) {
      const denied = await this.#leave(subject, account.quota.retriesPerSecond())
      if (denied !== undefined) return denied
    }
    const secret = account.secrets.peek() ?? (await account.secrets.load(this.#signal()))
    // Each attempt has all of `queueTimeout`, for its turn, in however many lines, and then for a socket.
    this.#until ??= this.#wiring.queueTimeout === Infinity ? Infinity : ticker.now() + this.#wiring.queueTimeout
    const permit = account.quota.tryEnter(this.#demand)
    const admission = permit === undefined ? await this.#wait(account) : { account, permit, secret }
    // The gate closed while it waited, and another credential may be open.
    if (admission === undefined) return "again"
    this.#counted = true
    const pass = this.#pass ?? this.#health.enter(subject)
    if (pass === undefined) {
      admission.permit.refund()
      admission.permit.leave()
      return "again"
    }
    this.#pass = undefined
    return this.#attempt(admission, subject, pass)
  }

  #subjectOf({ quota }: PoolKey): Subject {
    return { tenant: quota, about: this.#demand, body: this.#request.body }
  }

  /** True for a credential that has just refused this request, or with which nothing gets in. */
  readonly #isAvoided = (account: PoolKey): boolean =>
    account === this.#failedWith || !this.#health.isFlowing(this.#health.laneOf(this.#subjectOf(account)))

  /** True if another credential lets requests through. */
  #isElsewhere(account: PoolKey): boolean {
    const other = this.#wiring.accounts.choose(this.#demand, (one) => one === account || this.#isAvoided(one))
    return other !== account && other.quota.closedFor(this.#demand) === 0
  }

  #drop(): void {
    if (this.#pass !== undefined) this.#health.drop(this.#pass)
    this.#pass = undefined
  }

  /** A loop that was busy comes too late, and Node warns of a timer for less than nothing. */
  #left(): number {
    return Math.max(0, this.#until! - this.#wiring.ticker.now())
  }

  /** Milliseconds that it may yet wait because of failures. */
  #patience(): number {
    const { maxRetryAfter, queueTimeout } = this.#wiring
    return Math.max(0, Math.min(maxRetryAfter, queueTimeout) - this.#waited)
  }

  /** Waits until a retry is paid for, or a circuit lets it through. Returns its failure if that takes too long. */
  async #leave(subject: Subject, perSecond: number): Promise<Response | undefined> {
    const owes = this.#owes
    this.#owes = undefined
    if (owes === "retry" && this.#health.pay(subject, perSecond)) return undefined
    const isUnpaid = owes === "retry" && this.#health.isFlowing(this.#health.laneOf(subject))
    const full = this.#health.isFull(subject)
    const verdict = full ?? (await this.#await(subject, isUnpaid))
    if (verdict instanceof Pass) this.#pass = verdict
    if (verdict instanceof Pass || verdict === "paid") return undefined
    if (isUnpaid) this.#health.denied(subject)
    if (this.#failed === undefined) throw full ?? this.#health.refusal(subject)
    return tell(this.#failed, `not retried: ${full?.message ?? this.#whyLate(isUnpaid)}`)
  }

  #whyLate(isUnpaid: boolean): string {
    const seconds = (this.#waited / 1_000).toFixed(1)
    const what = isUnpaid
      ? "the retry budget of its model (quota.retriesPerSecond) is used up"
      : "no response to other requests"
    return `${what}, and it has waited ${seconds} s because of failures, as long as maxRetryAfter or queueTimeout allows`
  }

  async #await(subject: Subject, isUnpaid: boolean): Promise<Verdict<Pass>> {
    const { ticker } = this.#wiring
    const ms = this.#patience()
    // A request that never waits may be the next probe all the same.
    if (ms === 0) return (isUnpaid ? undefined : this.#health.enter(subject)) ?? "late"
    const wait = { order: this.#demand.order, ms, signal: this.#signal(), sharesVerdict: this.#maxRetries === 0 }
    const since = ticker.now()
    try {
      return await (isUnpaid ? this.#health.waitPaid(subject, wait) : this.#health.wait(subject, wait))
    } finally {
      this.#waited += ticker.now() - since
    }
  }

  /** Waits for a permit, which may take longer than a token lives. */
  async #wait(account: PoolKey): Promise<Admission | undefined> {
    const { accounts, maxRetryAfter, recorder, ticker } = this.#wiring
    const since = ticker.now()
    const shutMs = account.quota.shutMs(this.#demand)
    const refusedPatience = this.#failed === undefined ? undefined : this.#patience()
    const patience = Math.min(maxRetryAfter, refusedPatience ?? Infinity)
    const permit = await account.quota.enter(this.#demand, {
      signal: this.#signal(),
      maxRetryAfter: Math.min(patience, this.#underway.deadline?.left() ?? Infinity),
      timeout: this.#left(),
      movable: accounts.isPool,
      again: this.#counted,
      refusedPatience
    })
    const waited = ticker.now() - since
    recorder.waited(waited)
    // Waiting for one's turn is no trouble; a gate that a refusal closed is.
    if (this.#failed !== undefined) this.#waited += account.quota.shutMs(this.#demand) - shutMs
    if (permit === undefined) return undefined
    try {
      return { account, permit, secret: account.secrets.peek() ?? (await account.secrets.load(this.#signal())) }
    } catch (error) {
      permit.refund()
      permit.leave()
      throw error
    }
  }

  async #attempt(admission: Admission, subject: Subject, pass: Pass): Promise<Turn> {
    try {
      const response = await attempt(this.#wiring, this.#underway, this.#request, admission, pass, this.#left())
      if (response.status < 300) return response
      // SDKs make an error, with the body in it, of a redirect that the caller wants for itself.
      if (response.status < 400) return (await this.#read(response, admission)).response
      return await this.#answered(response, admission, subject, pass)
    } catch (error) {
      if (error === recalled) return "again"
      if (!(error instanceof WireError) || error instanceof DeadlinePassed) throw error
      if (error instanceof CircuitOpen) {
        this.#until = undefined
        return "again"
      }
      return await this.#unanswered(error, subject, pass)
    }
  }

  #read(response: Response, { secret }: Admission): Promise<Refusal.Refusal> {
    const clean = (text: string) => scrub(text, secret, hiddenOf(this.#wiring, this.#underway, this.#request))
    return Refusal.read(response, clean, this.#underway.attempts)
  }

  /** An answer that is no success. */
  async #answered(response: Response, admission: Admission, subject: Subject, pass: Pass): Promise<Turn> {
    const { deadline } = this.#underway
    const { account, permit } = admission
    let refusal: Refusal.Refusal
    let next: Retry.Next
    try {
      refusal = await this.#read(response, admission)
      next = await this.#nextAfter(response, refusal, admission, subject, pass)
      this.#failed = { answer: refusal.response }
      if (next.kind === "fail") return refusal.response
      const failure = deadline && Failure.fromAnswer(this.#wiring.place, refusal, this.#underway.attempts)
      this.#underway.before = Failure.andThen(this.#underway.before, Failure.workOn(response.status), failure)
    } finally {
      permit.leave()
    }
    this.#failedWith = account
    return this.#follow(next, Attempts.outcomeOfStatus(response.status))
  }

  async #nextAfter(
    response: Response,
    { code }: Refusal.Refusal,
    { account, permit, ...rest }: Admission,
    subject: Subject,
    pass: Pass
  ): Promise<Retry.Next> {
    const { accounts, retryAmbiguous } = this.#wiring
    const { replayable } = this.#request
    const atOnce: Retry.Next = { kind: "retry", delay: 0, asked: 0, isCharged: false }
    const whose = concern(response.status, code)
    if (whose === undefined) {
      if (!replayable) return { kind: "fail" }
      const failure = Retry.ofAnswer(response, Repeat.afterAnswer(this.#request, retryAmbiguous))
      const isGated = isRefusal(response.status) && account.quota.closedFor(this.#demand) > 0
      const isProbe = pass.isProbe || (isGated && permit.isTrial)
      return this.#next(failure, subject, {
        isProbe,
        isGated,
        isElsewhere: isGated && this.#isElsewhere(account)
      })
    }
    const isStale = whose === "Authentication" && replayable && !this.#renewed
    if (isStale && (await renew({ account, permit, ...rest }, this.#signal()))) {
      this.#renewed = true
      return atOnce
    }
    account.quota.refuse(permit, refused(whose))
    return replayable && ++this.#passedOn < accounts.size ? atOnce : { kind: "fail" }
  }

  /** No answer came. */
  #unanswered(error: WireError, subject: Subject, pass: Pass): Promise<Turn> {
    const { deadline } = this.#underway
    this.#underway.attempts += error.resent
    if (isSpent(this.#request.body)) throw error
    const failure = Retry.ofError(error, Repeat.whenUnknown(this.#request, this.#wiring.retryAmbiguous))
    const next = this.#next(failure, subject, { isProbe: pass.isProbe, isGated: false, isElsewhere: false })
    if (next.kind === "fail") throw error
    this.#failed = { error }
    const told = deadline && Failure.fromWire(this.#wiring.place, error, this.#underway.attempts)
    this.#underway.before = Failure.andThen(this.#underway.before, error.processed, told)
    return this.#follow(next, Attempts.outcomeOfError(error))
  }

  #next(
    failure: Retry.Failure,
    subject: Subject,
    how: Pick<Retry.Circumstances, "isProbe" | "isGated" | "isElsewhere">
  ): Retry.Next {
    const firstFailedAt = (this.#firstFailedAt ??= this.#wiring.ticker.now())
    return this.#retries.after(failure, {
      ...how,
      isExhausted: (least) => this.#health.isExhausted(subject, firstFailedAt, least),
      patience: this.#patience(),
      isNewCause: () => this.#health.isNewCause(subject),
      deadlineLeft: this.#underway.deadline?.left() ?? Infinity
    })
  }

  async #follow(next: Exclude<Retry.Next, { readonly kind: "fail" }>, outcome: Attempts.Outcome): Promise<"again"> {
    const { recorder, ticker } = this.#wiring
    const { attempts, call, metered } = this.#underway
    recorder.retry(call?.span, attempts, outcome, next.delay, metered?.span)
    this.#until = undefined
    this.#waited += next.asked
    if (next.kind === "retry" && next.isCharged) this.#owes = "retry"
    if (next.delay > 0) await sleep(ticker, next.delay, this.#signal())
    return "again"
  }
}
