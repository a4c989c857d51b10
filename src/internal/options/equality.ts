/**
 * Equality and hashes of what defines them itself, as all keys do, by its own functions: Effect 4 notes each object that it
 * is asked about in weak tables, which costs more than the answer for a value that is compared once.
 */
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"

export const hash = (value: unknown): number => (Equal.isEqual(value) ? value[Hash.symbol]() : Hash.hash(value))

export const equals = (a: unknown, b: unknown): boolean =>
  a === b || (Equal.isEqual(a) && Equal.isEqual(b) ? a[Equal.symbol](b) : Equal.equals(a, b))
