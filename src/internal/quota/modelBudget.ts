/**
 * The requests and tokens of a minute for one credential and model: counted here, and where other processes share them in
 * their store. Answers correct what was taken by estimate.
 */
import { type QuotaLimits } from "./limits.ts"
import { Gcra } from "./gcra.ts"
import { overdraft } from "./overdraft.ts"
import type { Permit } from "./permit.ts"
import type { TokensLeft } from "./rateLimitHeaders.ts"
import type { Remote } from "./remote.ts"

/** Tokens of an answer before any has been seen, and the weight of a new one in their mean. */
const INITIAL_OUTPUT_TOKENS = 256
const NEW_OUTPUT_WEIGHT = 0.1

/** A request whose cost is estimated; `meanOutput` is the mean output of recent responses. */
interface Costly {
  readonly tokens: (meanOutput: number) => number
}

export class ModelBudget {
  readonly #remote: Remote | undefined
  readonly #requests: Gcra
  readonly #tokens: Gcra
  #limits: QuotaLimits
  #meanOutput = INITIAL_OUTPUT_TOKENS

  /** `lateness` is what timers may be late by, in milliseconds. `limits` hold once `limit` is called. */
  constructor(lateness: number, remote: Remote | undefined, limits: QuotaLimits) {
    this.#remote = remote
    this.#requests = new Gcra(lateness)
    this.#tokens = new Gcra(lateness)
    this.#limits = limits
  }

  /** From now on these limits hold. */
  limit(now: number, limits: QuotaLimits): void {
    const { burst, requestsPerMinute, tokensPerMinute } = limits
    this.#requests.limit(now, requestsPerMinute, burst)
    this.#tokens.limit(now, tokensPerMinute, burst)
    this.#limits = limits
    this.#remote?.renew()
  }

  get isLimited(): boolean {
    return this.#requests.isLimited || this.#tokens.isLimited
  }

  get limitsTokens(): boolean {
    return this.#tokens.isLimited
  }

  /** True if all that was taken here has been paid for. */
  isRested(now: number): boolean {
    return this.#requests.isRested(now) && this.#tokens.isRested(now)
  }

  requestsLeft(now: number): number {
    return this.#requests.left(now)
  }

  tokensLeft(now: number): number {
    return this.#remote?.tokensLeft(now) ?? this.#tokens.left(now)
  }

  /** Tokens that a request is estimated to cost, 0 where they are not limited. */
  cost(request: Costly): number {
    return this.#limits.tokensPerMinute === Infinity ? 0 : request.tokens(this.#meanOutput)
  }

  /** Milliseconds that requests of this cost take of the budget. */
  msOf(requests: number, cost: number): number {
    const { requestsPerMinute, tokensPerMinute } = this.#limits
    return requests * 60_000 * Math.max(1 / requestsPerMinute, cost / tokensPerMinute)
  }

  /** Milliseconds until a request of this cost may go, by what is counted here. */
  wait(now: number, cost: number): number {
    return Math.max(this.#requests.wait(now, 1), this.#tokens.wait(now, cost))
  }

  /** Counts a request that goes now and has been ready since then, also one of a shared budget: that may become unreachable. */
  take(now: number, ready: number, cost: number): void {
    this.#requests.take(now, ready, 1)
    this.#tokens.take(now, ready, cost)
  }

  /** Gives back what was taken of a shared budget for a request that does not go. */
  giveBack(cost: number): void {
    this.#remote?.correct(-1, -cost, this.#limits)
  }

  /** The output of an answer. */
  learn(output: number): void {
    this.#meanOutput += NEW_OUTPUT_WEIGHT * (output - this.#meanOutput)
  }

  correct(now: number, permit: Permit, requests: number, tokens: number): void {
    if (requests !== 0) this.#requests.correct(now, requests)
    if (tokens !== 0) this.#tokens.correct(now, tokens)
    if (permit.shared) this.#remote!.correct(requests, tokens, this.#limits)
  }

  /** Tokens that the provider has counted and we have not. `inFlight`: tokens taken for requests in flight. */
  overdraft(now: number, theirs: TokensLeft, inFlight: number): number {
    const { tokensPerMinute } = this.#limits
    return overdraft(theirs, { tokensPerMinute, left: this.tokensLeft(now), inFlight })
  }
}
