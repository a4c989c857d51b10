/** Rate limits of API keys: token buckets, and what each provider says of them in its headers. */
import type { Headers } from "./exchange.ts"
import type { ProviderName, RateLimit } from "./model.ts"

interface Bucket {
  readonly limit: number
  readonly capacity: number
  level: number
  at: number
}

interface KeyState {
  readonly requests: Bucket | undefined
  readonly tokens: Bucket | undefined
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
  /** What has run out, if the request is refused. */
  readonly over: "requests" | "tokens" | "concurrency" | undefined
  /** Seconds. */
  readonly retryAfter: number
  readonly requests: Window
  readonly tokens: Window
  readonly day: Window
}

const DAY = 86_400
const UNLIMITED: Decision = {
  over: undefined,
  retryAfter: 0,
  requests: { limit: 10_000, remaining: 9_999, reset: 0.006 },
  tokens: { limit: 2_000_000, remaining: 1_999_900, reset: 0.003 },
  day: { limit: 14_400_000, remaining: 14_399_999, reset: 0.006 }
}

const bucket = (limit: number | undefined, burst: number, now: number): Bucket | undefined => {
  if (limit === undefined) return undefined
  const capacity = Math.max(1, limit * burst)
  return { limit, capacity, level: capacity, at: now }
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

export class Limits {
  readonly #limit: RateLimit | undefined
  readonly #keys = new Map<string, KeyState>()
  constructor(limit: RateLimit | undefined) {
    this.#limit = limit
  }

  #state(key: string): KeyState {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const burst = this.#limit?.burst ?? 1
    const now = performance.now()
    const state: KeyState = {
      requests: bucket(this.#limit?.requestsPerMinute, burst, now),
      tokens: bucket(this.#limit?.tokensPerMinute, burst, now),
      inFlight: 0,
      today: 0
    }
    this.#keys.set(key, state)
    return state
  }

  /** Takes a place at the key, to be given back once; refused beyond `maxConcurrency`. */
  enter(key: string): boolean {
    const max = this.#limit?.maxConcurrency
    if (max === undefined) return true
    const state = this.#state(key)
    if (state.inFlight >= max) return false
    state.inFlight++
    return true
  }

  leave(key: string): void {
    if (this.#limit?.maxConcurrency !== undefined) this.#state(key).inFlight--
  }

  /** Charges a request and its tokens, or nothing if it is refused. */
  take(key: string, tokens: number): Decision {
    if (this.#limit === undefined) return UNLIMITED
    const state = this.#state(key)
    const now = performance.now()
    let over: Decision["over"]
    let retryAfter = 0
    if (state.requests !== undefined) {
      refill(state.requests, now)
      if (state.requests.level < 1) {
        over = "requests"
        retryAfter = wait(state.requests, 1)
      }
    }
    if (state.tokens !== undefined) {
      refill(state.tokens, now)
      if (over === undefined && state.tokens.level < tokens) {
        over = "tokens"
        retryAfter = wait(state.tokens, tokens)
      }
    }
    if (over === undefined) {
      state.today++
      if (state.requests !== undefined) state.requests.level -= 1
      if (state.tokens !== undefined) state.tokens.level -= tokens
    }
    return this.#decision(state, over, retryAfter)
  }

  /** How things stand, for answers that cost nothing. */
  peek(key: string): Decision {
    if (this.#limit === undefined) return UNLIMITED
    return this.#decision(this.#state(key), undefined, 0)
  }

  /** What a request beyond `maxConcurrency` is told: providers name a short wait, since nobody knows. */
  crowded(key: string): Decision {
    return this.#decision(this.#state(key), "concurrency", 1)
  }

  #decision(state: KeyState, over: Decision["over"], retryAfter: number): Decision {
    const perDay = (this.#limit?.requestsPerMinute ?? 10_000) * 1440
    return {
      over,
      retryAfter,
      requests: window(state.requests, UNLIMITED.requests),
      tokens: window(state.tokens, UNLIMITED.tokens),
      day: { limit: perDay, remaining: Math.max(0, perDay - state.today), reset: (state.today * DAY) / perDay }
    }
  }
}

/** Go's notation, as OpenAI and Groq write it: `6ms`, `1.2s`, `6m0s`, `1h0m0s`. */
const goDuration = (seconds: number): string => {
  const ms = Math.max(1, Math.round(seconds * 1000))
  if (ms < 1000) return `${ms}ms`
  const s = (ms % 60_000) / 1000
  const minutes = Math.floor(ms / 60_000)
  if (minutes === 0) return `${s}s`
  return minutes < 60 ? `${minutes}m${s}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m${s}s`
}

const iso = (seconds: number): string =>
  new Date(Date.now() + Math.ceil(seconds) * 1000).toISOString().replace(/\.\d+Z/, "Z")

const windows = (provider: ProviderName, d: Decision): Headers => {
  switch (provider) {
    case "openai":
    case "azure":
    case "groq": {
      const requests = provider === "groq" ? d.day : d.requests
      return {
        "x-ratelimit-limit-requests": `${requests.limit}`,
        "x-ratelimit-remaining-requests": `${requests.remaining}`,
        "x-ratelimit-reset-requests": goDuration(requests.reset),
        "x-ratelimit-limit-tokens": `${d.tokens.limit}`,
        "x-ratelimit-remaining-tokens": `${d.tokens.remaining}`,
        "x-ratelimit-reset-tokens": goDuration(d.tokens.reset)
      }
    }
    case "cerebras":
      return {
        "x-ratelimit-limit-requests-day": `${d.day.limit}`,
        "x-ratelimit-remaining-requests-day": `${d.day.remaining}`,
        "x-ratelimit-reset-requests-day": `${d.day.reset}`,
        "x-ratelimit-limit-tokens-minute": `${d.tokens.limit}`,
        "x-ratelimit-remaining-tokens-minute": `${d.tokens.remaining}`,
        "x-ratelimit-reset-tokens-minute": `${d.tokens.reset}`
      }
    case "anthropic":
      return {
        "anthropic-ratelimit-requests-limit": `${d.requests.limit}`,
        "anthropic-ratelimit-requests-remaining": `${d.requests.remaining}`,
        "anthropic-ratelimit-requests-reset": iso(d.requests.reset),
        "anthropic-ratelimit-tokens-limit": `${d.tokens.limit}`,
        "anthropic-ratelimit-tokens-remaining": `${d.tokens.remaining}`,
        "anthropic-ratelimit-tokens-reset": iso(d.tokens.reset)
      }
  }
}

/** Without limits the headers never change, and are made once. */
const unlimited = new Map<ProviderName, Headers>()

export const limitHeaders = (provider: ProviderName, d: Decision): Headers => {
  if (d === UNLIMITED && provider !== "anthropic") {
    const known = unlimited.get(provider) ?? windows(provider, d)
    unlimited.set(provider, known)
    return known
  }
  const headers = windows(provider, d)
  if (d.over !== undefined) {
    headers["retry-after"] = `${Math.max(1, Math.ceil(d.retryAfter))}`
    // Only these two say it in milliseconds as well.
    if (provider === "openai" || provider === "azure") {
      headers["retry-after-ms"] = `${Math.max(1, Math.ceil(d.retryAfter * 1000))}`
    }
  }
  return headers
}

export const limitMessage = (model: string | undefined, d: Decision): string => {
  const of = `Rate limit reached for model \`${model ?? "unknown"}\``
  const retry = `Please try again in ${goDuration(d.retryAfter)}.`
  if (d.over === "concurrency") return `Too many concurrent requests. ${retry}`
  if (d.over === "tokens")
    return `${of} on tokens per min (TPM): Limit ${d.tokens.limit}, Remaining ${d.tokens.remaining}. ${retry}`
  return `${of} on requests per min (RPM): Limit ${d.requests.limit}, Remaining ${d.requests.remaining}. ${retry}`
}
