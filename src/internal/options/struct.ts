import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Equality from "./equality.ts"

/** Holds the hash of a struct, since what is frozen can't note it later. */
const HASH: unique symbol = Symbol("clientele/hash")

interface Struct extends Equal.Equal {
  readonly [HASH]: number
}

const isStruct = (u: unknown): u is Struct => typeof u === "object" && u !== null && HASH in u

const equals = (a: object, b: object): boolean => {
  const names = Object.keys(a)
  const [one, other] = [a as Record<string, unknown>, b as Record<string, unknown>]
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(other, name) && Equality.equals(one[name], other[name]))
  )
}

/** A hash that is the same for any order of the names. */
const hashOf = (fields: object): number => {
  let hash = 0
  for (const [name, value] of Object.entries(fields)) hash ^= Math.imul(Hash.string(name), 53) + Equality.hash(value)
  return Hash.optimize(hash | 0)
}

/** Fields that are compared one by one, with neither major of effect to say how. */
const structPrototype = {
  [Hash.symbol](this: Struct): number {
    return this[HASH]
  },
  [Equal.symbol](this: Struct, that: unknown): boolean {
    return this === that || (isStruct(that) && this[HASH] === that[HASH] && equals(this, that))
  }
}

/** Headers and queries may carry secrets: they print their names alone. */
const hushedPrototype = {
  ...structPrototype,
  toJSON(this: object) {
    return Object.fromEntries(Object.keys(this).map((name) => [name, "<redacted>"]))
  },
  [Symbol.for("nodejs.util.inspect.custom")](this: object) {
    return hushedPrototype.toJSON.call(this)
  }
}

for (const prototype of [structPrototype, hushedPrototype]) {
  for (const name of Reflect.ownKeys(prototype)) Object.defineProperty(prototype, name, { enumerable: false })
}

const make = <A extends object>(prototype: object, fields: A): Readonly<A> => {
  const value: A = Object.assign(Object.create(prototype), fields)
  Object.defineProperty(value, HASH, { value: hashOf(fields) })
  return Object.freeze(value)
}

/** Frozen, and equal to another struct with equal fields. */
export const struct = <A extends Record<string, unknown>>(fields: A): Readonly<A> => make(structPrototype, fields)

/** The same with its names in order, so that it is also written in one way. */
export const sorted = (fields: ReadonlyMap<string, string>): Readonly<Record<string, string>> =>
  fields.size === 0
    ? empty
    : make(hushedPrototype, Object.fromEntries([...fields].sort(([a], [b]) => (a < b ? -1 : 1))))

const empty = make<Readonly<Record<string, string>>>(hushedPrototype, {})
