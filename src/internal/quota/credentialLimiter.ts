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

export const make = (ticker: Ticker, shared: (model: string) => Shared | undefined): CredentialLimiter => {
  const limiters = new Map<string, ModelLimiter>()
  // Holders with equal limits are one struct, so count by place, not by value.
  const holders = new Map<object, QuotaLimits>()
  /** Time at which the provider last let a request in. */
  const accepted = { at: -Infinity }
  let limits = none
  const gate = new RetryAfterGate(ticker, () => {
    let waiting = 0
    for (const limiter of limiters.values()) {
      limiter.pump()
      waiting += limiter.queued
    }
    if (waiting === 0) gate.rest(ticker.now())
  })
  const relimit = (): void => {
    limits = tightest(holders.values())
    for (const limiter of limiters.values()) limiter.limit(limits)
  }
  /** At so many limiters it looks which can be forgotten; twice as many as stay, so that it seldom does. */
  let many = MAX_UNUSED_LIMITERS
  const forget = (): void => {
    const now = ticker.now()
    for (const [model, limiter] of limiters) if (limiter.isForgettable(now)) limiters.delete(model)
    many = Math.max(MAX_UNUSED_LIMITERS, 2 * limiters.size)
  }
  return {
    limiter: (model) => {
      const known = limiters.get(model)
      if (known !== undefined) return known
      if (limiters.size >= many) forget()
      const limiter = new ModelLimiter(ticker, { gate, accepted }, shared(model), limits)
      limiters.set(model, limiter)
      return limiter
    },
    refuse: (permit, error) => {
      // Others are let in with the same key: then it is that request's own business.
      if (accepted.at >= permit.sentAt) return
      gate.bar(ticker.now())
      for (const limiter of limiters.values()) limiter.turnAway(error)
    },
    isRefused: () => !gate.isOpen,
    isRested: () => {
      if (!gate.isOpen) return false
      const now = ticker.now()
      for (const limiter of limiters.values()) if (!limiter.isIdle(now)) return false
      return true
    },
    join: (more) => {
      const holder = {}
      holders.set(holder, more)
      relimit()
      return () => {
        holders.delete(holder)
        relimit()
      }
    },
    holders: () => holders.values(),
    limits: () => limits,
    stats: () => {
      const now = ticker.now()
      return [...limiters].flatMap(([model, limiter]) => {
        if (limiter.isIdle(now)) return []
        const closed = limiter.gate.closedFor(now)
        return {
          model,
          inFlight: limiter.inFlight,
          queued: limiter.queued,
          limit: limiter.concurrency,
          requestsLeft: limiter.requestsLeft(now),
          tokensLeft: limiter.tokensLeft(now),
          closedUntil: closed > 0 ? Math.ceil(ticker.date() + closed) : undefined
        }
      })
    }
  }
}
