/**
 * Rate limits. Each key has a budget for each model, since that is how providers count (Groq's and Cerebras's pages of
 * rate limits, Azure's quota by deployment): token buckets of requests and tokens, and places for requests in flight.
 * The limit may change at any moment; costs and requests in flight stay.
 */
import * as Duration from "effect/Duration"
import type { RateLimit } from "./model.ts"
import { performance } from "../util/timers.ts"

interface Bucket {
  readonly limit: number
  readonly capacity: number
  level: number
  at: number
}

interface Account {
  readonly key: string
  readonly model: string
  requests: Bucket | undefined
  tokens: Bucket | undefined
  inFlight: number
  today: number
}

interface Window {
  readonly limit: number
  readonly remaining: number
  /** Seconds until it is full again. */
  readonly reset: number
}

export interface Decision {
  /** The limit that was exceeded, if the request is refused. */
  readonly over: "requests" | "tokens" | "concurrency" | undefined
  /** Seconds; undefined if there is none. */
  readonly retryAfter: number | undefined
  readonly requests: Window
  readonly tokens: Window
  readonly day: Window
}

export interface Cost {
  /** Tokens of the prompt and the actual answer. */
  readonly tokens: number
  /** Tokens of the prompt and the longest answer that was asked for. */
  readonly asked: number
}

/** Share of an account that an admitted request holds until its answer ends. */
export interface AccountShare {
  readonly account: Account
  /** Tokens that were charged at admission and are given back at the end. */
  readonly refund: number
}

export interface Admission {
  readonly decision: Decision
  /** Undefined if the request is refused; else for `leave`, once. */
  readonly place: AccountShare | undefined
}

const DAY_SECONDS = 86_400

/** The decision without a limit: about the numbers that OpenAI sends for a large account. */
export const UNLIMITED: Decision = {
  over: undefined,
  retryAfter: undefined,
  requests: { limit: 10_000, remaining: 9_999, reset: 0.006 },
  tokens: { limit: 2_000_000, remaining: 1_999_900, reset: 0.003 },
  day: { limit: 14_400_000, remaining: 14_399_999, reset: 0.006 }
}

/** A full bucket, or one with the level of that before it, which the next `refill` cuts to what fits. */
const bucket = (limit: number | undefined, burst = 1, before: Bucket | undefined, now: number): Bucket | undefined => {
  if (limit === undefined) return undefined
  const capacity = Math.max(1, limit * burst)
  if (before !== undefined) refill(before, now)
  return { limit, capacity, level: before?.level ?? capacity, at: now }
}

const refill = (b: Bucket, now: number): void => {
  b.level = Math.min(b.capacity, b.level + ((now - b.at) * b.limit) / 60_000)
  b.at = now
}

/** Seconds until `cost` is there. What is above the capacity never will be: then until the bucket is full. */
const wait = (b: Bucket, cost: number): number => ((Math.min(cost, b.capacity) - b.level) * 60) / b.limit

const window = (b: Bucket | undefined, otherwise: Window): Window =>
  b === undefined
    ? otherwise
    : { limit: b.limit, remaining: Math.max(0, Math.floor(b.level)), reset: wait(b, b.capacity) }

export class RateLimits {
  #limit: RateLimit | undefined
  /** By key, then by model. */
  readonly #accounts = new Map<string, Map<string, Account>>()

  constructor(limit: RateLimit | undefined) {
    this.#limit = limit
  }

  /** From now on; a bucket whose limit is new starts full, any other keeps its level as far as that fits. */
  change(limit: RateLimit | undefined): void {
    this.#limit = limit
    const now = performance.now()
    for (const models of this.#accounts.values()) {
      for (const account of models.values()) {
        account.requests = bucket(limit?.requestsPerMinute, limit?.burst, account.requests, now)
        account.tokens = bucket(limit?.tokensPerMinute, limit?.burst, account.tokens, now)
      }
    }
  }

  /** Charges a request and takes a place for it, or does neither if it is refused. */
  admit(key: string, model: string, cost: Cost): Admission {
    const limit = this.#limit
    const account = this.#account(key, model)
    if (limit === undefined) {
      // Counted all the same, for a limit that comes while this is in flight.
      account.inFlight++
      return { decision: UNLIMITED, place: { account, refund: 0 } }
    }
    const now = performance.now()
    const tokens = limit.charge === "reserved" || limit.charge === "asked" ? cost.asked : cost.tokens
    if (account.requests !== undefined) refill(account.requests, now)
    if (account.tokens !== undefined) refill(account.tokens, now)
    const refuse = (over: Decision["over"], retryAfter: number | undefined): Admission => ({
      decision: this.#decision(account, over, retryAfter),
      place: undefined
    })
    if (limit.maxConcurrency !== undefined && account.inFlight >= limit.maxConcurrency) {
      const said = limit.concurrencyRetryAfter
      return refuse("concurrency", said === undefined ? undefined : Duration.toSeconds(said))
    }
    if (account.requests !== undefined && account.requests.level < 1) {
      return refuse("requests", wait(account.requests, 1))
    }
    if (account.tokens !== undefined && account.tokens.level < tokens) {
      return refuse("tokens", wait(account.tokens, tokens))
    }
    account.inFlight++
    account.today++
    if (account.requests !== undefined) account.requests.level -= 1
    if (account.tokens !== undefined) account.tokens.level -= tokens
    return {
      decision: this.#decision(account, undefined, undefined),
      place: { account, refund: limit.charge === "reserved" ? tokens - cost.tokens : 0 }
    }
  }

  leave({ account, refund }: AccountShare): void {
    account.inFlight--
    if (account.tokens !== undefined && refund > 0) {
      refill(account.tokens, performance.now())
      account.tokens.level = Math.min(account.tokens.capacity, account.tokens.level + refund)
    }
    if (this.#limit === undefined && account.inFlight === 0) this.#forget(account)
  }

  #account(key: string, model: string): Account {
    let models = this.#accounts.get(key)
    if (models === undefined) this.#accounts.set(key, (models = new Map()))
    const known = models.get(model)
    if (known !== undefined) return known
    const now = performance.now()
    const account: Account = {
      key,
      model,
      requests: bucket(this.#limit?.requestsPerMinute, this.#limit?.burst, undefined, now),
      tokens: bucket(this.#limit?.tokensPerMinute, this.#limit?.burst, undefined, now),
      inFlight: 0,
      today: 0
    }
    models.set(model, account)
    return account
  }

  #forget(account: Account): void {
    const models = this.#accounts.get(account.key)
    models?.delete(account.model)
    if (models?.size === 0) this.#accounts.delete(account.key)
  }

  #decision(account: Account, over: Decision["over"], retryAfter: number | undefined): Decision {
    const perDay = (this.#limit?.requestsPerMinute ?? 10_000) * 1440
    return {
      over,
      retryAfter,
      requests: window(account.requests, UNLIMITED.requests),
      tokens: window(account.tokens, UNLIMITED.tokens),
      day: {
        limit: perDay,
        remaining: Math.max(0, perDay - account.today),
        reset: (account.today * DAY_SECONDS) / perDay
      }
    }
  }
}
