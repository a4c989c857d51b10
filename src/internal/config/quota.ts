import { defaultMaxWaiters } from "../util/bounds.ts"
import { RETRIES_PER_SECOND } from "../overload/budget.ts"
import { adaptive } from "./adaptive.ts"
import { type At, bound, integer, number, within } from "../options/validate.ts"
import { record } from "../options/knownKeys.ts"
import type { QuotaKey, QuotaOptions } from "./quotaOptions.ts"
import { struct } from "../options/struct.ts"

const none: QuotaKey = struct({
  requestsPerMinute: Infinity,
  tokensPerMinute: Infinity,
  burst: 1,
  maxConcurrency: Infinity,
  maxWaiters: defaultMaxWaiters,
  retriesPerSecond: RETRIES_PER_SECOND
})

const names: ReadonlySet<string> = new Set<keyof QuotaOptions>(Object.keys(none) as Array<keyof QuotaOptions>)

export const quota = (at: At, input: unknown): QuotaKey => {
  if (input === undefined) return none
  const given = record(at, input, names)
  const { requestsPerMinute, tokensPerMinute, burst, maxConcurrency, maxWaiters, retriesPerSecond } = given
  return struct({
    requestsPerMinute: rate(within(at, "requestsPerMinute"), requestsPerMinute),
    tokensPerMinute: rate(within(at, "tokensPerMinute"), tokensPerMinute),
    burst: burst === undefined ? none.burst : integer(within(at, "burst"), burst, 1),
    maxConcurrency: concurrency(within(at, "maxConcurrency"), maxConcurrency),
    maxWaiters: maxWaiters === undefined ? none.maxWaiters : bound(within(at, "maxWaiters"), maxWaiters),
    retriesPerSecond: retries(within(at, "retriesPerSecond"), retriesPerSecond)
  })
}

const rate = (at: At, value: unknown): number =>
  value === undefined || value === Infinity
    ? Infinity
    : number(at, value, (n) => n > 0, "a number above 0, or Infinity for no limit")

const retries = (at: At, value: unknown): number => {
  if (value === undefined) return none.retriesPerSecond
  return value === false || value === Infinity
    ? Infinity
    : number(at, value, (n) => n > 0, "a number above 0, or false for no budget")
}

const concurrency = (at: At, value: unknown): QuotaKey["maxConcurrency"] => {
  if (value === undefined || value === Infinity) return Infinity
  if (value === "adaptive") return adaptive(at, {})
  if (typeof value === "object" && value !== null) return adaptive(at, value)
  return number(
    at,
    value,
    (n) => Number.isSafeInteger(n) && n >= 1,
    'an integer of at least 1, Infinity for no limit, "adaptive", or an object of its parameters'
  )
}
