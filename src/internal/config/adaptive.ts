import { type At, integer, number, within } from "../options/validate.ts"
import { record } from "../options/knownKeys.ts"
import type { AdaptiveKey, AdaptiveOptions } from "./quotaOptions.ts"
import { struct } from "../options/struct.ts"

/**
 * Defaults of `AdaptiveOptions`. The `initial` of 10 is TCP's initial window (RFC 6928). RFC 9438 has a beta of 0.7 and
 * a C of 0.4; BIC's beta of 0.8 keeps the mean at 95% of the capacity, and a C of 1 finds a capacity that rises from 20
 * to 200 in 7 s instead of 9. Gradient2 tolerates 1.5, for services whose responses all take about the same time.
 */
export const adaptiveDefaults: AdaptiveKey = {
  initial: 10,
  min: 1,
  max: Infinity,
  backoff: 0.8,
  growth: 1,
  tolerance: 2
}

const names: ReadonlySet<string> = new Set<keyof AdaptiveOptions>(
  Object.keys(adaptiveDefaults) as Array<keyof AdaptiveOptions>
)

export const adaptive = (at: At, input: unknown): AdaptiveKey => {
  const given = record(at, input, names)
  const read = (name: keyof AdaptiveKey, f: (at: At, value: unknown) => number): number => {
    const value = given[name]
    return value === undefined ? adaptiveDefaults[name] : f(within(at, name), value)
  }
  const min = read("min", (at, value) => integer(at, value, 1))
  const max = read("max", (at, value) =>
    value === Infinity
      ? Infinity
      : number(at, value, from(min, Infinity), `an integer of at least min, which is ${min}, or Infinity for no bound`)
  )
  const initial = read("initial", (at, value) =>
    number(
      at,
      value,
      from(min, max),
      max === Infinity
        ? `an integer of at least min, which is ${min}`
        : `an integer from min to max, which are ${min} and ${max}`
    )
  )
  return struct({
    // A bound that is given moves a beginning that is not.
    initial: Math.min(Math.max(initial, min), max),
    min,
    max,
    backoff: read("backoff", (at, value) => number(at, value, (n) => n > 0 && n < 1, "a number above 0 and below 1")),
    growth: read("growth", (at, value) => number(at, value, (n) => n > 0 && n < Infinity, "a finite number above 0")),
    tolerance: read("tolerance", (at, value) =>
      number(at, value, (n) => n >= 1, "a number of at least 1, or Infinity to react to refusals alone")
    )
  })
}

const from =
  (least: number, most: number) =>
  (n: number): boolean =>
    Number.isSafeInteger(n) && n >= least && n <= most
