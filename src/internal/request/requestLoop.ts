/**
 * One request, from the call to the head of its answer: pick a credential, acquire what one attempt needs, dispatch it,
 * and decide what follows. Plain promises: this is the path of every request.
 */
import type { Subject } from "../overload/health.ts"
import * as Retry from "../overload/retry.ts"
import { isRefusal, type Permit } from "../quota/permit.ts"
import type { WaitTerms } from "../quota/waiter.ts"
import { TurnedAway } from "../quota/turnedAway.ts"
import { scrub } from "../redaction/redact.ts"
import * as Attempts from "../telemetry/attempts.ts"
import { isSpent } from "../transport/upload.ts"
import { sleep } from "../util/ticker.ts"
import { WireError } from "../wire/errors.ts"
import { type AdmittedAttempt, type AttemptOutcome, RequestAttempt } from "./attempt.ts"
import * as ErrorResponse from "./errors/errorResponse.ts"
import * as Failure from "./errors/fromSdk.ts"
import { refused } from "./errors/unsent.ts"
import * as Idempotency from "./idempotency.ts"
import { type PoolKey, renew } from "./keyPool.ts"
import { type Denial, Passage } from "./passage.ts"
import type { RequestState } from "./requestState.ts"

/** The last attempt's failure: what the caller gets, unless another attempt fares better. */
type Failed = { readonly answer: Response } | { readonly error: unknown }

/** Tells the caller of the failure, and why no other attempt was made. */
const tell = (failed: Failed, why: string): Response => {
  if (!("answer" in failed)) throw Failure.withReason(failed.error, why)
  failed.answer.headers.set(Failure.DENIED, why)
  return failed.answer
}

/** Names the reason that an answer has for the whole credential, if it has one. */
const concern = (status: number, code: unknown): "QuotaExceeded" | "Authentication" | undefined =>
  status === 401 ? "Authentication" : code === "insufficient_quota" ? "QuotaExceeded" : undefined

const AT_ONCE: Retry.Next = { kind: "retry", delay: 0, asked: 0, isCharged: false }

export class RequestLoop {
  readonly #state: RequestState
  readonly #passage: Passage
  readonly #retries: Retry.Retries
  #failed: Failed | undefined
  #failedWith: PoolKey | undefined
  #firstFailedAt: number | undefined
  #renewed = false
  #passedOn = 0
  /** It has had its turn once. */
  #counted = false
  /** Until when the next attempt may wait for its turn and its socket. */
  #until: number | undefined

  constructor(state: RequestState) {
    this.#state = state
    this.#passage = new Passage(state)
    this.#retries = new Retry.Retries(state.maxRetries, state.deps.maxRetryAfter)
  }

  async run(): Promise<Response> {
    try {
      for (;;) {
        const acquired = this.#acquire(this.#pick())
        // Nothing but what has to wait costs a turn.
        const admission = acquired instanceof Promise ? await acquired : acquired
        if (admission instanceof Response) return admission
        if (admission === undefined) continue
        const outcome = await new RequestAttempt(this.#state, admission, this.#left()).send()
        const decided = this.#decide(admission, outcome)
        const response = decided instanceof Promise ? await decided : decided
        if (response !== undefined) return response
      }
    } catch (error) {
      const isGated = error instanceof TurnedAway && error.reason === "RateLimited"
      if (!isGated || this.#failed === undefined) throw error
      return tell(this.#failed, `not retried: ${error.message}`)
    } finally {
      this.#passage.drop()
    }
  }

  get #health() {
    return this.#state.deps.transport.pool.health
  }

  #pick(): PoolKey {
    this.#state.deadline?.check()
    return this.#state.deps.keyPool.choose(this.#state.demand, this.#isAvoided)
  }

  /** True for a credential that has just refused this request, or with which nothing gets in. */
  readonly #isAvoided = (poolKey: PoolKey): boolean =>
    poolKey === this.#failedWith || !this.#health.isFlowing(this.#health.laneOf(this.#subjectOf(poolKey)))

  #subjectOf({ quota }: PoolKey): Subject {
    return { tenant: quota, about: this.#state.demand, body: this.#state.request.body }
  }

  /**
   * Takes leave, the secret and a permit, or waits for them. `undefined` if another credential may be better by now; a
   * response if it may not wait for longer, and has failed before.
   */
  #acquire(poolKey: PoolKey): AdmittedAttempt | undefined | Promise<AdmittedAttempt | Response | undefined> {
    const subject = this.#subjectOf(poolKey)
    const leave = this.#passage.obtain(subject, poolKey.quota.retriesPerSecond())
    const secret = leave === undefined ? poolKey.secrets.peek() : undefined
    if (secret === undefined) return this.#acquireLater(poolKey, subject, leave)
    const permit = this.#tryEnter(poolKey)
    return permit === undefined ? this.#wait(poolKey, subject) : this.#admit({ poolKey, subject, permit, secret })
  }

  async #acquireLater(
    poolKey: PoolKey,
    subject: Subject,
    leave: Promise<Denial | undefined> | undefined
  ): Promise<AdmittedAttempt | Response | undefined> {
    const denied = await leave
    if (denied !== undefined) {
      if (this.#failed === undefined) throw denied.error
      return tell(this.#failed, `not retried: ${denied.why}`)
    }
    const secret = poolKey.secrets.peek() ?? (await poolKey.secrets.load(this.#state.signal))
    const permit = this.#tryEnter(poolKey)
    return permit === undefined ? this.#wait(poolKey, subject) : this.#admit({ poolKey, subject, permit, secret })
  }

  #tryEnter({ quota }: PoolKey): Permit | undefined {
    const { demand, deps, quotaWaitMs, waitedMs } = this.#state
    // Each attempt has all of `queueTimeout`, for its turn, in however many lines, and then for a socket.
    const queueTimeout = deps.queueTimeout - (this.#counted ? 0 : waitedMs)
    this.#until ??= queueTimeout === Infinity ? Infinity : deps.ticker.now() + queueTimeout
    const permit = quota.tryEnter(demand)
    if (permit === undefined || quotaWaitMs === 0) return permit
    deps.recorder.waited(quotaWaitMs)
    this.#state.quotaWaitMs = 0
    return permit
  }

  /** `undefined` if a circuit has opened meanwhile. */
  #admit(granted: Omit<AdmittedAttempt, "pass">): AdmittedAttempt | undefined {
    this.#counted = true
    const pass = this.#passage.take(granted.subject)
    if (pass !== undefined) return { ...granted, pass }
    giveBack(granted.permit)
    return undefined
  }

  /** Waits for a permit, which may take longer than a token lives. */
  async #wait(poolKey: PoolKey, subject: Subject): Promise<AdmittedAttempt | undefined> {
    const { deadline, demand, deps, signal } = this.#state
    const { quota, secrets } = poolKey
    const since = deps.ticker.now()
    const shutMs = quota.shutMs(demand)
    const refusedPatience = this.#failed === undefined ? undefined : this.#passage.patience()
    const patience = Math.min(deps.maxRetryAfter, refusedPatience ?? Infinity)
    const terms = {
      signal,
      maxRetryAfter: Math.min(patience, deadline?.left() ?? Infinity),
      timeout: this.#left(),
      movable: deps.keyPool.isPool,
      again: this.#counted,
      refusedPatience
    }
    const permit = await this.#enter(poolKey, terms)
    deps.recorder.waited(deps.ticker.now() - since + this.#state.quotaWaitMs)
    this.#state.quotaWaitMs = 0
    // Waiting for one's turn is no trouble; a gate that a refusal closed is.
    if (this.#failed !== undefined) this.#passage.waitedMs += quota.shutMs(demand) - shutMs
    // The gate closed while it waited, and another credential may be open.
    if (permit === undefined) return undefined
    try {
      const secret = secrets.peek() ?? (await secrets.load(signal))
      return this.#admit({ poolKey, subject, permit, secret })
    } catch (error) {
      giveBack(permit)
      throw error
    }
  }

  async #enter({ quota }: PoolKey, terms: WaitTerms): Promise<Permit | undefined> {
    const { demand, deps } = this.#state
    deps.starts?.forQuota(1)
    try {
      return await quota.enter(demand, terms)
    } finally {
      deps.starts?.forQuota(-1)
    }
  }

  /** A loop that was busy comes too late, and Node warns of a timer for less than nothing. */
  #left(): number {
    return Math.max(0, this.#until! - this.#state.deps.ticker.now())
  }

  /** Returns the response that the caller gets, `undefined` if another attempt follows. */
  #decide(admission: AdmittedAttempt, outcome: AttemptOutcome): Response | undefined | Promise<Response | undefined> {
    if (outcome === "barred") this.#until = undefined
    if (outcome === "barred" || outcome === "recalled") return undefined
    if (outcome instanceof WireError) return this.#decideUnanswered(admission, outcome)
    if (outcome.status < 300) return outcome
    // SDKs make an error, with the body in it, of a redirect that the caller wants for itself.
    if (outcome.status < 400) return this.#read(outcome, admission).then(({ response }) => response)
    return this.#decideRefused(admission, outcome)
  }

  #read(response: Response, { secret }: AdmittedAttempt): Promise<ErrorResponse.ErrorResponse> {
    const clean = (text: string) => scrub(text, secret, this.#state.hidden)
    return ErrorResponse.read(response, clean, this.#state.attempts)
  }

  /** An answer that is no success. */
  async #decideRefused(admission: AdmittedAttempt, response: Response): Promise<Response | undefined> {
    const { attempts, before, deadline, deps } = this.#state
    let next: Retry.Next
    try {
      const refusal = await this.#read(response, admission)
      next = await this.#nextAfter(response, refusal, admission)
      this.#failed = { answer: refusal.response }
      if (next.kind === "fail") return refusal.response
      const failure = deadline && Failure.fromAnswer(deps.place, refusal, attempts)
      this.#state.before = Failure.andThen(before, Failure.workOn(response.status), failure)
    } finally {
      admission.permit.leave()
    }
    this.#failedWith = admission.poolKey
    await this.#follow(next, Attempts.outcomeOfStatus(response.status))
    return undefined
  }

  async #nextAfter(
    response: Response,
    { code }: ErrorResponse.ErrorResponse,
    admission: AdmittedAttempt
  ): Promise<Retry.Next> {
    const { demand, deps, request } = this.#state
    const { pass, permit, poolKey } = admission
    const { replayable } = request
    const whose = concern(response.status, code)
    if (whose === undefined) {
      if (!replayable) return { kind: "fail" }
      const failure = Retry.ofAnswer(response, Idempotency.afterAnswer(request, deps.retryAmbiguous))
      const isGated = isRefusal(response.status) && poolKey.quota.closedFor(demand) > 0
      const isProbe = pass.isProbe || (isGated && permit.isTrial)
      return this.#next(failure, admission, { isProbe, isGated, isElsewhere: isGated && this.#isElsewhere(poolKey) })
    }
    const isStale = whose === "Authentication" && replayable && !this.#renewed
    if (isStale && (await renew(poolKey, admission.secret, this.#state.signal))) {
      this.#renewed = true
      return AT_ONCE
    }
    poolKey.quota.refuse(permit, refused(whose))
    return replayable && ++this.#passedOn < deps.keyPool.size ? AT_ONCE : { kind: "fail" }
  }

  /** True if another credential lets requests through. */
  #isElsewhere(poolKey: PoolKey): boolean {
    const { demand, deps } = this.#state
    const other = deps.keyPool.choose(demand, (one) => one === poolKey || this.#isAvoided(one))
    return other !== poolKey && other.quota.closedFor(demand) === 0
  }

  /** No answer came. */
  async #decideUnanswered(admission: AdmittedAttempt, error: WireError): Promise<undefined> {
    const { before, deadline, deps, request } = this.#state
    this.#state.attempts += error.resent
    if (isSpent(request.body)) throw error
    const failure = Retry.ofError(error, Idempotency.whenUnknown(request, deps.retryAmbiguous))
    const next = this.#next(failure, admission, {
      isProbe: admission.pass.isProbe,
      isGated: false,
      isElsewhere: false
    })
    if (next.kind === "fail") throw error
    this.#failed = { error }
    const told = deadline && Failure.fromWire(deps.place, error, this.#state.attempts)
    this.#state.before = Failure.andThen(before, error.processed, told)
    await this.#follow(next, Attempts.outcomeOfError(error))
  }

  #next(
    failure: Retry.Failure,
    { subject }: AdmittedAttempt,
    how: Pick<Retry.Circumstances, "isProbe" | "isGated" | "isElsewhere">
  ): Retry.Next {
    const firstFailedAt = (this.#firstFailedAt ??= this.#state.deps.ticker.now())
    return this.#retries.after(failure, {
      ...how,
      isExhausted: (least) => this.#health.isExhausted(subject, firstFailedAt, least),
      patience: this.#passage.patience(),
      isNewCause: () => this.#health.isNewCause(subject),
      deadlineLeft: this.#state.deadline?.left() ?? Infinity
    })
  }

  async #follow(next: Exclude<Retry.Next, { readonly kind: "fail" }>, outcome: Attempts.Outcome): Promise<void> {
    const { attempts, call, deps, metered } = this.#state
    deps.recorder.retry(call?.span, attempts, outcome, next.delay, metered?.span)
    this.#until = undefined
    this.#passage.waitedMs += next.asked
    if (next.kind === "retry" && next.isCharged) this.#passage.owesRetry = true
    if (next.delay > 0) await sleep(deps.ticker, next.delay, this.#state.signal)
  }
}

const giveBack = (permit: Permit): void => {
  permit.refund()
  permit.leave()
}
