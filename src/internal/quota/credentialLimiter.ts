/**
 * State that all holders of one credential share: a limiter for each model, and a gate for the whole of it. A failure of
 * the account, not of a model (a key that is refused, a balance that is used up), fails all waiting requests; then one
 * request at a time probes it.
 */
import type { Ticker } from "../util/ticker.ts"
import { RetryAfterGate } from "./retryAfterGate.ts"
import type { ModelStats } from "../../Quota.ts"
import { ModelLimiter } from "./modelLimiter.ts"
import { type QuotaLimits, none, tightest } from "./limits.ts"
import type { Permit } from "./permit.ts"
import type { Shared } from "./remote.ts"

/** From this many models on unused limiters are dropped: names of models come from users. */
const MAX_UNUSED_LIMITERS = 64

export interface CredentialLimiter {
  readonly limiter: (model: string) => ModelLimiter
  /**
   * The provider's answer to this permit's request refuses the whole credential. All waiting requests fail, and later
   * ones go one at a time until one is let in.
   */
  readonly refuse: (permit: Permit, error: () => Error) => void
  readonly isRefused: () => boolean
  /** True if it would hold back no request that a new one would let through. */
  readonly isRested: () => boolean
  /** Adds a holder with its limits; the result takes it away. */
  readonly join: (limits: QuotaLimits) => () => void
  readonly holders: () => Iterable<QuotaLimits>
  readonly limits: () => QuotaLimits
  readonly stats: () => ReadonlyArray<ModelStats>
}

class Limiter implements CredentialLimiter {
  readonly #ticker: Ticker
  readonly #shared: (model: string) => Shared | undefined
  readonly #limiters = new Map<string, ModelLimiter>()
  // Holders with equal limits are one struct, so count by place, not by value.
  readonly #holders = new Map<object, QuotaLimits>()
  /** Time at which the provider last let a request in. */
  readonly #accepted = { at: -Infinity }
  readonly #gate: RetryAfterGate
  #limits = none
  /** At so many limiters it looks which can be forgotten; twice as many as stay, so that it seldom does. */
  #many = MAX_UNUSED_LIMITERS

  constructor(ticker: Ticker, shared: (model: string) => Shared | undefined) {
    this.#ticker = ticker
    this.#shared = shared
    this.#gate = new RetryAfterGate(ticker, () => this.#pump())
  }

  limiter(model: string): ModelLimiter {
    const known = this.#limiters.get(model)
    if (known !== undefined) return known
    if (this.#limiters.size >= this.#many) this.#forget()
    const shared = { gate: this.#gate, accepted: this.#accepted }
    const limiter = new ModelLimiter(this.#ticker, shared, this.#shared(model), this.#limits)
    this.#limiters.set(model, limiter)
    return limiter
  }

  // Both are handed on without their object.
  readonly refuse = (permit: Permit, error: () => Error): void => {
    // Others are let in with the same key: then it is that request's own business.
    if (this.#accepted.at >= permit.sentAt) return
    this.#gate.bar(this.#ticker.now())
    for (const limiter of this.#limiters.values()) limiter.turnAway(error)
  }

  isRefused(): boolean {
    return !this.#gate.isOpen
  }

  readonly isRested = (): boolean => {
    if (!this.#gate.isOpen) return false
    const now = this.#ticker.now()
    for (const limiter of this.#limiters.values()) if (!limiter.isIdle(now)) return false
    return true
  }

  join(limits: QuotaLimits): () => void {
    const holder = {}
    this.#holders.set(holder, limits)
    this.#relimit()
    return () => {
      this.#holders.delete(holder)
      this.#relimit()
    }
  }

  holders(): Iterable<QuotaLimits> {
    return this.#holders.values()
  }

  limits(): QuotaLimits {
    return this.#limits
  }

  stats(): ReadonlyArray<ModelStats> {
    const now = this.#ticker.now()
    return [...this.#limiters].flatMap(([model, limiter]) => {
      if (limiter.isIdle(now)) return []
      const closed = limiter.gate.closedFor(now)
      return {
        model,
        inFlight: limiter.inFlight,
        queued: limiter.queued,
        limit: limiter.concurrency,
        requestsLeft: limiter.requestsLeft(now),
        tokensLeft: limiter.tokensLeft(now),
        closedUntil: closed > 0 ? Math.ceil(this.#ticker.date() + closed) : undefined
      }
    })
  }

  #pump(): void {
    let waiting = 0
    for (const limiter of this.#limiters.values()) {
      limiter.pump()
      waiting += limiter.queued
    }
    if (waiting === 0) this.#gate.rest(this.#ticker.now())
  }

  #relimit(): void {
    this.#limits = tightest(this.#holders.values())
    for (const limiter of this.#limiters.values()) limiter.limit(this.#limits)
  }

  #forget(): void {
    const now = this.#ticker.now()
    for (const [model, limiter] of this.#limiters) if (limiter.isForgettable(now)) this.#limiters.delete(model)
    this.#many = Math.max(MAX_UNUSED_LIMITERS, 2 * this.#limiters.size)
  }
}

export const make = (ticker: Ticker, shared: (model: string) => Shared | undefined): CredentialLimiter =>
  new Limiter(ticker, shared)
