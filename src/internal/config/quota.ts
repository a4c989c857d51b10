import { type At, describe, integer, invalid, within } from "./check.ts"
import { record } from "./names.ts"
import type { QuotaOptions, QuotaKey } from "./quotaOptions.ts"
import { struct } from "./struct.ts"

const none: QuotaKey = struct({ requestsPerMinute: Infinity, maxConcurrency: Infinity })

const names: ReadonlySet<string> = new Set<keyof QuotaOptions>(["requestsPerMinute", "maxConcurrency"])

export const quota = (at: At, input: unknown): QuotaKey => {
  if (input === undefined) return none
  const { requestsPerMinute, maxConcurrency } = record(at, input, names)
  return struct({
    requestsPerMinute: limit(requestsPerMinute, () => rate(within(at, "requestsPerMinute"), requestsPerMinute)),
    maxConcurrency: limit(maxConcurrency, () => integer(within(at, "maxConcurrency"), maxConcurrency, 1))
  })
}

const limit = (value: unknown, read: () => number): number =>
  value === undefined || value === Infinity ? Infinity : read()

const rate = (at: At, value: unknown): number => {
  if (typeof value === "number" && value > 0) return value
  throw invalid(at, describe(value), "a number above 0, or Infinity for no limit")
}
