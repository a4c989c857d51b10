/** The limits of a quota whose holders disagree: the tightest of each. */
import type { QuotaKey } from "../config/quotaOptions.ts"
import { defaultMaxWaiters } from "../util/bounds.ts"
import { RETRIES_PER_SECOND } from "../overload/budget.ts"

export type Limits = QuotaKey

export const none: Limits = {
  requestsPerMinute: Infinity,
  tokensPerMinute: Infinity,
  burst: 1,
  maxConcurrency: Infinity,
  maxWaiters: Infinity,
  retriesPerSecond: Infinity
}

const concurrency = (a: Limits["maxConcurrency"], b: Limits["maxConcurrency"]): Limits["maxConcurrency"] => {
  if (typeof a === "number") {
    if (typeof b === "number") return Math.min(a, b)
    return concurrency(b, a)
  }
  // A number bounds what is found out.
  const bound = typeof b === "number" ? { ...a, max: b } : b
  const max = Math.min(a.max, bound.max)
  const min = Math.min(a.min, bound.min, max)
  return {
    initial: Math.max(min, Math.min(a.initial, bound.initial, max)),
    min,
    max,
    backoff: Math.min(a.backoff, bound.backoff),
    growth: Math.min(a.growth, bound.growth),
    tolerance: Math.min(a.tolerance, bound.tolerance)
  }
}

const tighter = (a: Limits, b: Limits): Limits => ({
  requestsPerMinute: Math.min(a.requestsPerMinute, b.requestsPerMinute),
  tokensPerMinute: Math.min(a.tokensPerMinute, b.tokensPerMinute),
  burst: Math.min(a.burst, b.burst),
  maxConcurrency: concurrency(a.maxConcurrency, b.maxConcurrency),
  maxWaiters: Math.min(a.maxWaiters, b.maxWaiters),
  retriesPerSecond: Math.min(a.retriesPerSecond, b.retriesPerSecond)
})

export const sameConcurrency = (a: Limits["maxConcurrency"], b: Limits["maxConcurrency"]): boolean =>
  a === b ||
  (typeof a === "object" &&
    typeof b === "object" &&
    (Object.keys(a) as ReadonlyArray<keyof typeof a>).every((name) => a[name] === b[name]))

export const equal = (a: Limits, b: Limits): boolean =>
  a.requestsPerMinute === b.requestsPerMinute &&
  a.tokensPerMinute === b.tokensPerMinute &&
  a.burst === b.burst &&
  a.maxWaiters === b.maxWaiters &&
  a.retriesPerSecond === b.retriesPerSecond &&
  sameConcurrency(a.maxConcurrency, b.maxConcurrency)

export const tightest = (holders: Iterable<Limits>): Limits => {
  let all: Limits | undefined
  for (const holder of holders) all = all === undefined ? holder : tighter(all, holder)
  return all ?? none
}

const countOf = (limit: Limits["maxConcurrency"]): string =>
  typeof limit === "number" ? `${limit} at once` : `adaptive concurrency of ${limit.min} to ${limit.max}`

/** As a person reads it: only what is limited. */
export const describe = (limits: Limits): string => {
  const parts: Array<string> = []
  if (limits.requestsPerMinute !== Infinity) parts.push(`${limits.requestsPerMinute} requests a minute`)
  if (limits.tokensPerMinute !== Infinity) parts.push(`${limits.tokensPerMinute} tokens a minute`)
  if (limits.burst > 1) parts.push(`bursts of ${limits.burst}`)
  if (limits.maxConcurrency !== Infinity) parts.push(countOf(limits.maxConcurrency))
  if (limits.maxWaiters < defaultMaxWaiters) parts.push(`${limits.maxWaiters} waiting`)
  if (limits.retriesPerSecond !== RETRIES_PER_SECOND && limits.retriesPerSecond !== Infinity) {
    parts.push(`${limits.retriesPerSecond} retries a second`)
  }
  return parts.length === 0 ? "no limit" : parts.join(", ")
}
