/**
 * State that all holders of one credential share: a lane for each model, and a gate for the whole of it. A failure of
 * the account, not of a model (a key that is refused, a balance that is used up), fails all waiting requests; then one
 * request at a time probes it.
 */
import type { Ticker } from "../util/ticker.ts"
import { RetryAfterGate } from "./retryAfterGate.ts"
import type { ModelStats } from "../../Quota.ts"
import { ModelLimiter } from "./modelLimiter.ts"
import { type Limits, none, tightest } from "./limits.ts"
import type { Permit } from "./permit.ts"
import type { Shared } from "./remote.ts"

/** From this many models on unused lanes are dropped: names of models come from users. */
const MANY = 64

export interface CredentialLimiter {
  readonly lane: (model: string) => ModelLimiter
  /**
   * The provider's answer to this permit's request refuses the whole credential. All waiting requests fail, and later
   * ones go one at a time until one is let in.
   */
  readonly refuse: (permit: Permit, error: () => Error) => void
  readonly isRefused: () => boolean
  /** True if it would hold back no request that a new one would let through. */
  readonly isRested: () => boolean
  /** Adds a holder with its limits; the result takes it away. */
  readonly join: (limits: Limits) => () => void
  readonly holders: () => Iterable<Limits>
  readonly limits: () => Limits
  readonly stats: () => ReadonlyArray<ModelStats>
}

export const make = (ticker: Ticker, shared: (model: string) => Shared | undefined): CredentialLimiter => {
  const lanes = new Map<string, ModelLimiter>()
  // Holders with equal limits are one struct, so count by place, not by value.
  const holders = new Map<object, Limits>()
  /** Time at which the provider last let a request in. */
  const accepted = { at: -Infinity }
  let limits = none
  const gate = new RetryAfterGate(ticker, () => {
    let waiting = 0
    for (const lane of lanes.values()) {
      lane.pump()
      waiting += lane.queued
    }
    if (waiting === 0) gate.rest(ticker.now())
  })
  const relimit = (): void => {
    limits = tightest(holders.values())
    for (const lane of lanes.values()) lane.limit(limits)
  }
  /** At so many lanes it looks which can be forgotten; twice as many as stay, so that it seldom does. */
  let many = MANY
  const forget = (): void => {
    const now = ticker.now()
    for (const [model, lane] of lanes) if (lane.isForgettable(now)) lanes.delete(model)
    many = Math.max(MANY, 2 * lanes.size)
  }
  return {
    lane: (model) => {
      const known = lanes.get(model)
      if (known !== undefined) return known
      if (lanes.size >= many) forget()
      const lane = new ModelLimiter(ticker, { gate, accepted }, shared(model), limits)
      lanes.set(model, lane)
      return lane
    },
    refuse: (permit, error) => {
      // Others are let in with the same key: then it is that request's own business.
      if (accepted.at >= permit.sentAt) return
      gate.bar(ticker.now())
      for (const lane of lanes.values()) lane.turnAway(error)
    },
    isRefused: () => !gate.isOpen,
    isRested: () => {
      if (!gate.isOpen) return false
      const now = ticker.now()
      for (const lane of lanes.values()) if (!lane.isIdle(now)) return false
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
      return [...lanes].flatMap(([model, lane]) => {
        if (lane.isIdle(now)) return []
        const closed = lane.gate.closedFor(now)
        return {
          model,
          inFlight: lane.inFlight,
          queued: lane.queued,
          limit: lane.concurrency,
          requestsLeft: lane.requestsLeft(now),
          tokensLeft: lane.tokensLeft(now),
          closedUntil: closed > 0 ? Math.ceil(ticker.date() + closed) : undefined
        }
      })
    }
  }
}
