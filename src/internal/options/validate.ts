/** The checks that options share. They throw `OptionsError`s; `make` turns these into failures. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { OptionsError } from "../../ClientError.ts"
import { MAX_TIMEOUT_MS } from "../util/timers.ts"

/** Location of a value: the owner of the option, and its path as the caller wrote it. */
export interface At {
  readonly provider: string
  readonly field: string
}

export const within = (at: At, field: string): At => ({ provider: at.provider, field: `${at.field}.${field}` })

export const invalid = (at: At, received: string, expected: string): OptionsError =>
  new OptionsError({ provider: at.provider, field: at.field, received, expected })

/** Names the kind of a value. Never the text of a string: a key in the wrong place must not be printed. */
export const describe = (u: unknown): string => {
  switch (typeof u) {
    case "string":
      return u.length === 0 ? "an empty string" : `a string of ${u.length} characters`
    case "number":
    case "bigint":
    case "boolean":
    case "undefined":
      return String(u).slice(0, 40)
    case "object":
      return u === null ? "null" : Array.isArray(u) ? "an array" : Redacted.isRedacted(u) ? "a Redacted" : "an object"
    default:
      return `a ${typeof u}`
  }
}

const UNITS: ReadonlySet<string> = new Set(
  ["week", "day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond"].map((unit) => `${unit}s`)
)

/** Effect 4 takes objects of units, and any other object for 0. */
const isDurationInput = (input: unknown): boolean => {
  if (typeof input !== "object" || input === null || Array.isArray(input) || Duration.isDuration(input)) return true
  const names = Object.keys(input)
  return names.length > 0 && names.every((name) => UNITS.has(name))
}

const decoded = (input: unknown): Option.Option<Duration.Duration> =>
  isDurationInput(input) ? Duration.decodeUnknown(input) : Option.none()

/** Whole milliseconds from `least` to what timers can hold, or `Infinity`. */
export const millis = (at: At, input: unknown, least: 0 | 1 = 1): number => {
  // effect takes negative durations and NaN for zero, so numbers are looked at before.
  const ms = Number.isInteger(input)
    ? (input as number)
    : Option.match(decoded(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })
  // Seconds with decimals come out of effect a nanosecond too long.
  // The 0 keeps -0 away.
  const whole = Math.ceil(ms - 1e-5) + 0
  if (whole === Infinity) return whole
  const sane = typeof input !== "number" || input >= 0
  if (sane && whole >= least && whole <= MAX_TIMEOUT_MS) return whole
  const more = least === 0 ? "a duration" : "a duration above 0"
  throw invalid(at, describe(input), `${more} like "30 seconds" or 30000 (ms), at most 24.8 days, or Infinity for none`)
}

export const number = (at: At, input: unknown, test: (n: number) => boolean, expected: string): number => {
  if (typeof input === "number" && test(input)) return input
  throw invalid(at, describe(input), expected)
}

export const integer = (at: At, input: unknown, least: number): number =>
  number(at, input, (n) => Number.isSafeInteger(n) && n >= least, `an integer of at least ${least}`)

/** Checks an upper bound. */
export const bound = (at: At, input: unknown): number =>
  number(
    at,
    input,
    (n) => n === Infinity || (Number.isSafeInteger(n) && n >= 1),
    "an integer of at least 1, or Infinity for no bound"
  )

/** Text fit for a header: trimmed, not empty, no control characters, all in Latin-1. */
export const text = (at: At, input: unknown): string => {
  if (typeof input !== "string") throw invalid(at, describe(input), "a string")
  const trimmed = input.trim()
  if (trimmed === "") throw invalid(at, "empty", "a non-empty string")
  const bad = unfit(trimmed)
  if (bad >= 0) throw invalid(at, `a string whose character ${bad + 1} ${unfitReason(trimmed, bad)}`, latin1)
  return trimmed
}

export const latin1 = "Latin-1 without control characters, as headers require"

/** The index of the first character that a header can't carry, or -1. */
export const unfit = (text: string): number => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f || code > 0xff) return i
  }
  return -1
}

export const unfitReason = (text: string, index: number): string =>
  text.charCodeAt(index) > 0xff ? "is not in Latin-1" : "is a control character"
