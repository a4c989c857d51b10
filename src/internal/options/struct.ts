import * as Data from "effect/Data"
import * as Hash from "effect/Hash"

/** A `Data.struct`, frozen. It is hashed first, for effect keeps the hash in the object itself. */
export const struct = <A extends Record<string, unknown>>(fields: A): Readonly<A> => {
  const value = Data.struct(fields)
  Hash.hash(value)
  return Object.freeze(value)
}

/** The same with its names in order, so that it is also written in one way. */
export const sorted = (fields: ReadonlyMap<string, string>): Readonly<Record<string, string>> =>
  fields.size === 0 ? empty : hushed(Object.fromEntries([...fields].sort(([a], [b]) => (a < b ? -1 : 1))))

/** Headers and queries may carry secrets: they print their names alone. */
const hush = {
  toJSON(this: object) {
    return Object.fromEntries(Object.keys(this).map((name) => [name, "<redacted>"]))
  },
  [Symbol.for("nodejs.util.inspect.custom")](this: object) {
    return hush.toJSON.call(this)
  }
}

const hushed = (fields: Record<string, string>): Readonly<Record<string, string>> => {
  const value: Record<string, string> = Object.assign(Object.create(hushedPrototype), fields)
  Hash.hash(value)
  return Object.freeze(value)
}

const hushedPrototype: object = Object.assign(Object.create(Object.getPrototypeOf(Data.struct({}))), hush)
for (const name of Reflect.ownKeys(hushedPrototype)) {
  Object.defineProperty(hushedPrototype, name, { enumerable: false })
}

const empty = hushed({})
