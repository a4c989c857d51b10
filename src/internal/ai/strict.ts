/**
 * JSON schemas in the strict mode of structured output (OpenAI, "Supported schemas"): every field is required and no
 * other allowed, so an optional field is `null` if absent, and removed again from the answer.
 */

type Json = Readonly<Record<string, unknown>>

const isJson = (u: unknown): u is Json => typeof u === "object" && u !== null && !Array.isArray(u)

const listOf = (u: unknown): ReadonlyArray<unknown> => (Array.isArray(u) ? u : [])

const branchesOf = (schema: Json): ReadonlyArray<unknown> => listOf(schema["anyOf"] ?? schema["oneOf"])

/** Keywords that strict mode lacks. The decoder still checks answers against them, by the original schema. */
const unknown = new Set([
  "$schema",
  "$id",
  "$comment",
  "default",
  "examples",
  "minLength",
  "maxLength",
  "uniqueItems",
  "contains",
  "propertyNames",
  "contentMediaType",
  "contentSchema"
])

const formats = new Set(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])

/** Thrown out of the walk. */
class Unfit extends Error {}

const isNullable = (schema: Json): boolean =>
  schema["type"] === "null" ||
  listOf(schema["type"]).includes("null") ||
  (Array.isArray(schema["enum"]) && schema["enum"].includes(null)) ||
  listOf(schema["anyOf"]).some((one) => isJson(one) && isNullable(one))

const orNull = (schema: unknown): unknown =>
  isJson(schema) && isNullable(schema) ? schema : { anyOf: [schema, { type: "null" }] }

const mapValues = (of: Json, f: (value: unknown, key: string) => unknown): Json =>
  Object.fromEntries(Object.entries(of).map(([key, value]) => [key, f(value, key)]))

const walk = (schema: unknown): unknown => {
  if (!isJson(schema)) throw new Unfit()
  if ("patternProperties" in schema || "allOf" in schema || "not" in schema) throw new Unfit()
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) if (!unknown.has(key)) out[key] = value
  if (typeof out["format"] === "string" && !formats.has(out["format"])) delete out["format"]
  if (isJson(schema["$defs"])) out["$defs"] = mapValues(schema["$defs"], walk)
  const branches = branchesOf(schema)
  if (branches.length > 0) {
    delete out["oneOf"]
    out["anyOf"] = branches.map(walk)
  }
  // A list of anything, or a tuple, can't be expressed: the walk throws at a value that is not a schema.
  if (schema["type"] === "array") out["items"] = walk(schema["items"])
  if (schema["type"] !== "object") {
    // A schema of anything can't be expressed.
    const says = ["type", "$ref", "enum", "const", "anyOf"].some((key) => out[key] !== undefined)
    if (!says) throw new Unfit()
    return out
  }
  // Without properties it is any object, unless there may be none.
  const { additionalProperties, properties = additionalProperties === false ? {} : undefined } = schema
  if (isJson(additionalProperties) || additionalProperties === true || !isJson(properties)) throw new Unfit()
  const required = new Set(listOf(schema["required"]))
  out["properties"] = mapValues(properties, (value, key) => (required.has(key) ? walk(value) : orNull(walk(value))))
  out["required"] = Object.keys(properties)
  out["additionalProperties"] = false
  return out
}

/**
 * The schema in strict mode, or `undefined` if it can't be expressed there: with records, or another root than an
 * object.
 */
export const strict = (schema: object): object | undefined => {
  if (!isJson(schema) || schema["type"] !== "object") return undefined
  try {
    return walk(schema) as object
  } catch (error) {
    if (error instanceof Unfit) return undefined
    throw error
  }
}

/** Removes the `null`s that strict mode required, by the original schema. */
export const absent = (schema: object, value: unknown): unknown => {
  const definitions = isJson(schema) && isJson(schema["$defs"]) ? schema["$defs"] : {}
  const resolve = (u: unknown): Json | undefined => {
    if (!isJson(u)) return undefined
    const ref = u["$ref"]
    if (typeof ref !== "string") return u
    const found = definitions[ref.slice(ref.lastIndexOf("/") + 1)]
    return isJson(found) ? found : undefined
  }
  /** True if a value has the shape of this schema; all other constraints are left to the decoder. */
  const fits = (u: unknown, at: unknown): boolean => {
    const known = resolve(at)
    if (known === undefined) return true
    const branches = branchesOf(known)
    if (branches.length > 0) return branches.some((one) => fits(u, one))
    if (Array.isArray(known["enum"])) return known["enum"].includes(u)
    if ("const" in known) return known["const"] === u
    const { items, properties, type } = known
    if (Array.isArray(u)) {
      return type === "array" && u.every((one, i) => fits(one, Array.isArray(items) ? items[i] : items))
    }
    if (!isJson(u)) return type === (u === null ? "null" : typeof u) || (type === "integer" && Number.isInteger(u))
    if (type !== "object") return false
    if (!isJson(properties)) return true
    const required = listOf(known["required"])
    return (
      required.every((key) => typeof key === "string" && Object.hasOwn(u, key)) &&
      Object.entries(u).every(([key, one]) =>
        Object.hasOwn(properties, key)
          ? (one === null && !required.includes(key)) || fits(one, properties[key])
          : known["additionalProperties"] !== false
      )
    )
  }
  const clean = (u: unknown, at: unknown): unknown => {
    const known = resolve(at)
    if (known === undefined) return u
    const branches = branchesOf(known)
    if (branches.length > 0) {
      const branch = branches.find((one) => fits(u, one))
      return branch === undefined ? u : clean(u, branch)
    }
    if (Array.isArray(u)) {
      const { items } = known
      return u.map((one, i) => clean(one, Array.isArray(items) ? items[i] : items))
    }
    const { properties } = known
    if (!isJson(u) || !isJson(properties)) return u
    const required = listOf(known["required"])
    const out: Record<string, unknown> = {}
    for (const [key, one] of Object.entries(u)) {
      const property = resolve(properties[key])
      const isGap = one === null && !required.includes(key) && property !== undefined && !isNullable(property)
      if (!isGap) out[key] = clean(one, properties[key])
    }
    return out
  }
  return clean(value, schema)
}
