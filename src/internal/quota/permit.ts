/**
 * One request that a quota has let through, from its dispatch to the end of its answer's body: its share of the budget,
 * and the scope of its answer.
 */
import type { WireResponse } from "../http/types.ts"
import type { Trial } from "./retryAfterGate.ts"

export type RawHeaders = WireResponse["headers"]

/** Statuses with which providers refuse requests before any work: 529 is Anthropic's "overloaded". */
export const isRefusal = (status: number): boolean => status === 429 || status === 503 || status === 529

/** Initial values of a permit. */
export interface PermitFacts {
  /** When it was let through. */
  readonly sentAt: number
  /** Requests in flight when it was let through, itself included. */
  readonly inFlight: number
  /** Tokens that were taken for it. */
  readonly tokens: number
  /** True if it was taken from a budget that other processes share. */
  readonly shared: boolean
  /** Milliseconds that its request waits at most for a gate to open. */
  readonly patience: number
  readonly trials: ReadonlyArray<Trial> | undefined
}

/** The limiter that issues permits. */
export interface Issuer {
  readonly answered: (permit: Permit, status: number, headers: RawHeaders) => void
  /** Settles the real cost: corrects the tokens that were taken. */
  readonly settle: (permit: Permit, tokens: number, output: number | undefined) => void
  /** It costs so many tokens more than were taken until now. */
  readonly charge: (permit: Permit, tokens: number) => void
  /** It never reached the provider: gives the budget back. */
  readonly refund: (permit: Permit) => void
  readonly leave: () => void
  /** Closings so far of the gates that its permits pass. */
  readonly closings: () => number
}

export class Permit {
  readonly #issuer: Issuer
  /** When it went onto the wire; until then, when it was let through. */
  sentAt: number
  /** Requests in flight when it was let through, itself included. */
  readonly inFlight: number
  /** Tokens that have been taken for it. */
  tokens: number
  /** True if it was taken from a budget that other processes share. */
  readonly shared: boolean
  readonly patience: number
  readonly #trials: ReadonlyArray<Trial> | undefined
  readonly #closings: number
  #settled = false
  /** The end of its trials when it leaves. */
  #trialEnd: "refused" | "failed" | "dropped" = "dropped"

  constructor(issuer: Issuer, { inFlight, patience, sentAt, shared, tokens, trials }: PermitFacts) {
    this.#issuer = issuer
    this.sentAt = sentAt
    this.inFlight = inFlight
    this.tokens = tokens
    this.shared = shared
    this.patience = patience
    this.#trials = trials
    this.#closings = issuer.closings()
  }

  /** True if it passed a gate that is not fully open, and so probes whether the provider takes requests again. */
  get isTrial(): boolean {
    return this.#trials !== undefined
  }

  /** True if a gate has closed since: a request that has not been sent by now must not be. */
  get isOutdated(): boolean {
    return this.#closings !== this.#issuer.closings()
  }

  /** It goes onto the wire. */
  sent(now: number): void {
    this.sentAt = now
    if (this.#trials !== undefined) for (const trial of this.#trials) trial.sent()
  }

  /** The head of the answer is here. */
  answered(status: number, headers: RawHeaders): void {
    this.#issuer.answered(this, status, headers)
    if (this.#trials === undefined) return
    // Only the body of a refusal shows if others should follow: so it ends its trial when it leaves.
    if (isRefusal(status)) this.#trialEnd = status === 429 ? "refused" : "failed"
    // A refused key does not show whether requests are let in.
    else if (status !== 401) for (const trial of this.#trials) trial.passed()
  }

  /** It has cost so many tokens already, and goes on. */
  charge(tokens: number): void {
    const more = tokens - this.tokens
    if (this.#settled || more <= 0) return
    this.tokens = tokens
    this.#issuer.charge(this, more)
  }

  settle(tokens: number, output: number | undefined): void {
    if (this.#settled) return
    this.#settled = true
    this.#issuer.settle(this, tokens, output)
  }

  refund(): void {
    if (this.#settled) return
    this.#settled = true
    this.#issuer.refund(this)
  }

  /** Once: the body has ended, or there is none. */
  leave(): void {
    for (const trial of this.#trials ?? []) trial[this.#trialEnd]()
    this.#issuer.leave()
  }
}
