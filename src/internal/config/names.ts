/** Which names an options object may have. A misspelt option that is silently ignored is a bug found in production. */
import * as Redacted from "effect/Redacted"
import { type At, describe, invalid } from "./check.ts"

/** Checks that `input` is an object with no names but these. */
export const record = (at: At, input: unknown, names: ReadonlySet<string>): Readonly<Record<string, unknown>> => {
  const fields = object(at, input, "an object of options")
  for (const name of Object.keys(fields)) {
    if (!names.has(name)) throw unknown(at, name, [...names])
  }
  return fields
}

export const object = (at: At, input: unknown, expected: string): Readonly<Record<string, unknown>> => {
  if (typeof input !== "object" || input === null || Array.isArray(input) || Redacted.isRedacted(input)) {
    throw invalid(at, describe(input), expected)
  }
  return input as Readonly<Record<string, unknown>>
}

/** Names that reach an object's prototype in one library or another. */
export const dangerous: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"])

const unknown = (at: At, name: string, names: ReadonlyArray<string>) => {
  // A long name or one with odd characters may be a secret in the wrong place.
  const shown = /^[\w$-]{1,40}$/.test(name) ? name : `with a name of ${name.length} characters`
  const field = at.field === "options" ? shown : `${at.field}.${shown}`
  const near = nearest(name, names)
  const hint = near === undefined ? "" : `; did you mean ${near}?`
  return invalid({ provider: at.provider, field }, "unknown", `one of ${names.join(", ")}${hint}`)
}

const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "")

const nearest = (name: string, names: ReadonlyArray<string>): string | undefined => {
  const wanted = plain(name.slice(0, 40))
  let best: string | undefined
  let least = 3
  for (const candidate of names) {
    const known = plain(candidate)
    // `defaultHeaders`, as the SDKs have it, holds `headers`.
    const cost = known.length > 2 && wanted.endsWith(known) ? 1 : distance(wanted, known)
    if (cost < least) {
      least = cost
      best = candidate
    }
  }
  return best
}

/** Levenshtein's distance. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
