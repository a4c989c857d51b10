/** The way of one request past the overload policy: its pass, its retries' pay, and the time that failures may cost it. */
import type { Subject } from "../overload/health.ts"
import { type Lane, Pass } from "../overload/lane.ts"
import type { Verdict } from "../overload/waiting.ts"
import type { WireError } from "../wire/errors.ts"
import type { RequestState } from "./requestState.ts"

/** The request may not go, and has waited long enough. */
export interface Denial {
  readonly error: WireError
  /** The reason, for one that has failed before. */
  readonly why: string
}

export class Passage {
  readonly #state: RequestState
  #pass: Pass | undefined
  /** The next attempt needs a retry from the budget. */
  owesRetry = false
  /** Milliseconds that it has waited because of failures. */
  waitedMs = 0

  constructor(state: RequestState) {
    this.#state = state
  }

  get #health() {
    return this.#state.deps.transport.pool.health
  }

  /** Milliseconds that it may yet wait because of failures. */
  patience(): number {
    const { maxRetryAfter, queueTimeout } = this.#state.deps
    return Math.max(0, Math.min(maxRetryAfter, queueTimeout) - this.waitedMs)
  }

  /** Waits until a retry is paid for, and until circuits let it through; `undefined` if it may go at once. */
  obtain(subject: Subject, perSecond: number): Promise<Denial | undefined> | undefined {
    const lane = this.#health.laneOf(subject)
    if (this.#pass !== undefined && (this.#pass.lane !== lane || this.#health.isRecalled(this.#pass))) this.drop()
    const owes = this.owesRetry
    if (this.#pass !== undefined || (!owes && this.#health.isFlowing(lane))) return undefined
    this.owesRetry = false
    if (owes && this.#health.pay(subject, perSecond)) return undefined
    return this.#wait(subject, lane, owes)
  }

  async #wait(subject: Subject, lane: Lane, owes: boolean): Promise<Denial | undefined> {
    const isUnpaid = owes && this.#health.isFlowing(lane)
    const full = this.#health.isFull(subject)
    const verdict = full ?? (await this.#verdict(subject, isUnpaid))
    if (verdict instanceof Pass) this.#pass = verdict
    if (verdict instanceof Pass || verdict === "paid") return undefined
    if (isUnpaid) this.#health.denied(subject)
    return { error: full ?? this.#health.refusal(subject), why: full?.message ?? this.#whyLate(isUnpaid) }
  }

  async #verdict(subject: Subject, isUnpaid: boolean): Promise<Verdict<Pass>> {
    const { demand, deps, maxRetries, signal } = this.#state
    const ms = this.patience()
    // A request that never waits may be the next probe all the same.
    if (ms === 0) return (isUnpaid ? undefined : this.#health.enter(subject)) ?? "late"
    const wait = { order: demand.order, ms, signal, sharesVerdict: maxRetries === 0 }
    const since = deps.ticker.now()
    try {
      return await (isUnpaid ? this.#health.waitPaid(subject, wait) : this.#health.wait(subject, wait))
    } finally {
      this.waitedMs += deps.ticker.now() - since
    }
  }

  #whyLate(isUnpaid: boolean): string {
    const seconds = (this.waitedMs / 1_000).toFixed(1)
    const what = isUnpaid
      ? "the retry budget of its model (quota.retriesPerSecond) is used up"
      : "no response to other requests"
    return `${what}, and it has waited ${seconds} s because of failures, as long as maxRetryAfter or queueTimeout allows`
  }

  /** The pass for one attempt; `undefined` if a circuit has opened meanwhile. */
  take(subject: Subject): Pass | undefined {
    const pass = this.#pass ?? this.#health.enter(subject)
    if (pass !== undefined) this.#pass = undefined
    return pass
  }

  /** Gives back a pass that is not used. */
  drop(): void {
    if (this.#pass !== undefined) this.#health.drop(this.#pass)
    this.#pass = undefined
  }
}
