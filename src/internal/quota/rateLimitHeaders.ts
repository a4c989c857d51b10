/**
 * Reads the limits in the head of a response: for how long it asks to wait, and for how long the gate of its model must
 * stay closed. Every response is read, and most state no limits: those get the constant `silent`.
 *
 * OpenAI, Azure and Groq send `x-ratelimit-remaining-requests` and `-reset-requests` (and `-tokens`) with Go's
 * durations, Cerebras `-requests-day` and `-tokens-minute` with seconds, Anthropic `anthropic-ratelimit-requests-reset`
 * (and `tokens`, `input-tokens`, `output-tokens`) with times in RFC 3339.
 */
import * as RetryAfter from "../wire/retryAfter.ts"
import type { WireResponse } from "../http/types.ts"

export interface Advice {
  /** Milliseconds that an unsuccessful response asks to wait. */
  readonly retryAfter: number | undefined
  /** Milliseconds for which the gate of the model must stay closed. */
  readonly closed: number | undefined
}

type Headers = WireResponse["headers"]

/** Advice of nearly all responses. */
export const silent: Advice = Object.freeze({ retryAfter: undefined, closed: undefined })

const ZERO = 0x30

const prefix = "x-ratelimit-remaining-"
const anthropicPrefix = "anthropic-ratelimit-"
const anthropicSuffix = "-remaining"

/** Zero as a decimal number. Azure sends -1 where a deployment has no such limit. */
const isExhausted = (value: string): boolean =>
  value.charCodeAt(0) === ZERO && (value.length === 1 || RetryAfter.readNumber(value) === 0)

/** True if a header states that nothing remains; its name identifies the budget. */
const saysNothingRemains = (name: string, value: string): boolean =>
  isExhausted(value) &&
  (name.startsWith(prefix) || (name.startsWith(anthropicPrefix) && name.endsWith(anthropicSuffix)))

const valueOf = (headers: Headers, name: string): string | undefined => {
  for (const header of headers) if (header[0] === name) return header[1]
  return undefined
}

const units: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6
}

/** Go's `Duration.String()`, as in `1h0m0s`, `1.2s` or `12ms`; a bare number is in seconds. */
const readDuration = (value: string): number | undefined => {
  const seconds = RetryAfter.readNumber(value)
  if (seconds !== undefined) return RetryAfter.sensible(seconds * 1000)
  if (!/^(?:\d+(?:\.\d+)?(?:h|m|s|ms|us|µs|ns))+$/.test(value)) return undefined
  let ms = 0
  for (const [, number, unit] of value.matchAll(/([\d.]+)([a-zµ]+)/g)) ms += Number(number) * units[unit!]!
  return RetryAfter.sensible(ms)
}

/** Milliseconds until the exhausted budget of the header `name` is full again. */
const resetOf = (headers: Headers, name: string, now: number): number | undefined => {
  const value = valueOf(headers, name.replace("-remaining", "-reset"))
  if (value === undefined) return undefined
  const at = RetryAfter.readDate(value)
  if (at === undefined) return readDuration(value)
  return RetryAfter.sensible(Math.max(0, at - (RetryAfter.readDate(valueOf(headers, "date")) ?? now)))
}

export interface TokensLeft {
  /** Tokens left of a minute's budget. */
  readonly limit: number
  readonly remaining: number
  /** Milliseconds until the budget is full, if known. */
  readonly reset: number | undefined
}

const REMAINING_TOKENS = "x-ratelimit-remaining-tokens"

/** Tokens left of a minute's budget, from the headers that OpenAI, Azure and Groq send. */
export const tokensLeft = (headers: Headers, now: number): TokensLeft | undefined => {
  const remaining = RetryAfter.readNumber(valueOf(headers, REMAINING_TOKENS))
  if (remaining === undefined) return undefined
  const limit = RetryAfter.readNumber(valueOf(headers, "x-ratelimit-limit-tokens"))
  if (limit === undefined || limit < 1) return undefined
  return { limit, remaining, reset: resetOf(headers, REMAINING_TOKENS, now) }
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const isAbout = (ms: number, window: number): boolean => Math.abs(ms - window) < window / 20

/** Parts of a window, when the share of its budget that the next request takes is unknown: a second of a minute. */
const SHARES_PER_WINDOW = 60

/**
 * Milliseconds for which the gate closes for a budget of which nothing remains, `undefined` for one that can't be. All
 * providers of these headers document `reset` as the time until the budget is full: a whole window if it is empty and
 * fills evenly. Then the next request is there long before, also after a refusal: to wait until all of them are would
 * leave most of the budget unused.
 */
const untilNext = (headers: Headers, name: string, now: number): number | undefined => {
  const given = valueOf(headers, name.replace("-remaining", "-limit"))
  const limit = RetryAfter.readNumber(given)
  // A limit below 1, or one that can't be read, means that there is none: nothing to wait for.
  if (given !== undefined && (limit === undefined || limit < 1)) return undefined
  const reset = resetOf(headers, name, now)
  if (reset === undefined || !(isAbout(reset, MINUTE_MS) || isAbout(reset, DAY_MS))) return reset
  // The number of tokens that the next request needs is unknown.
  return reset / (limit === undefined || !name.includes("requests") ? SHARES_PER_WINDOW : limit)
}

/** By the longest wait for what has run out. */
const fromResets = (headers: Headers, now: number): Advice => {
  let closed: number | undefined
  for (const [name, value] of headers) {
    if (!saysNothingRemains(name, value)) continue
    const wait = untilNext(headers, name, now)
    if (wait !== undefined) closed = Math.max(closed ?? 0, wait)
  }
  return closed === undefined ? silent : { retryAfter: undefined, closed }
}

/** Too many requests, unavailable, and overloaded (Anthropic's own). */
const isRefusal = (status: number): boolean => status === 429 || status === 503 || status === 529

/** `now`, in milliseconds since 1970, is for answers without a `Date`. */
export const read = (status: number, headers: Headers, now: number): Advice => {
  if (status < 400) {
    for (const header of headers) {
      if (saysNothingRemains(header[0], header[1])) return fromResets(headers, now)
    }
    return silent
  }
  const retryAfter = RetryAfter.read(
    {
      "retry-after-ms": valueOf(headers, "retry-after-ms"),
      "retry-after": valueOf(headers, "retry-after"),
      date: valueOf(headers, "date")
    },
    now
  )
  if (!isRefusal(status)) return retryAfter === undefined ? silent : { retryAfter, closed: undefined }
  return retryAfter === undefined ? fromResets(headers, now) : { retryAfter, closed: retryAfter }
}
