/** Which names an options object may have. A misspelt option that is silently ignored is a bug found in production. */
import * as Redacted from "effect/Redacted"
import { nearest } from "../util/closestName.ts"
import { type At, describe, invalid } from "./validate.ts"

/** Checks that `input` is an object with no names but these. */
export const record = (at: At, input: unknown, names: ReadonlySet<string>): Readonly<Record<string, unknown>> => {
  const fields = object(at, input, "an object of options")
  owned(at, fields, names)
  for (const name of Object.keys(fields)) {
    if (!names.has(name)) throw unknown(at, name, [...names])
  }
  return fields
}

/**
 * Checks that none of these names comes from the prototype: setting an object's `__proto__` would set options. Getters
 * of a class are exempt, since they are not enumerable.
 */
export const owned = (at: At, fields: object, names: Pick<ReadonlySet<string>, "has">): void => {
  for (const name in fields) {
    if (Object.hasOwn(fields, name) || !names.has(name)) continue
    throw invalid(
      { provider: at.provider, field: at.field === "options" ? name : `${at.field}.${name}` },
      "inherited from the object's prototype",
      "an own property of the object: a prototype may have been polluted"
    )
  }
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
  // A long name, or one that no option could have, may be a secret in the wrong place: `sk-...`.
  const shown = /^[a-z_$][\w$]{0,39}$/i.test(name) ? name : `with a name of ${name.length} characters`
  const field = at.field === "options" ? shown : `${at.field}.${shown}`
  const near = nearest(name, names)
  const hint = near === undefined ? "" : `; did you mean ${near}?`
  return invalid({ provider: at.provider, field }, "unknown", `one of ${names.join(", ")}${hint}`)
}
