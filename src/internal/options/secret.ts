import * as Redacted from "effect/Redacted"
import { type At, invalid, latin1, unfit, unfitReason } from "./validate.ts"

/** Trimmed, as keys read from files end in a line break. */
export const secret = (at: At, input: Redacted.Redacted<unknown>, expected: string): Redacted.Redacted => {
  const value = open(at, input, expected)
  const trimmed = value.trim()
  if (trimmed === "") throw invalid(at, "an empty secret", expected)
  const bad = unfit(trimmed)
  if (bad >= 0) {
    const position = value.indexOf(trimmed) + bad + 1
    throw invalid(at, `a secret whose character at position ${position} ${unfitReason(trimmed, bad)}`, latin1)
  }
  // A copy: the config outlives its maker, which may wipe the original.
  return Redacted.make(trimmed)
}

export const open = (at: At, input: Redacted.Redacted<unknown>, expected: string): string => {
  let value: unknown
  try {
    value = Redacted.value(input)
  } catch {
    throw invalid(at, "a Redacted that was wiped", expected)
  }
  if (typeof value !== "string") throw invalid(at, "a Redacted without a string", expected)
  return value
}
