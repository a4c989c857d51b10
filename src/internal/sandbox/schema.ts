/** A value that satisfies a JSON schema, the same one for the same seed. */
import { array, type JsonObject, number, object, string } from "./json.ts"
import { fromPattern } from "./pattern.ts"
import { prose, word } from "./text.ts"
import { type Random } from "../util/seededRandom.ts"

/** Below this depth optional properties and array items that need not be there are left out, so that recursion ends. */
const MAX_OPTIONAL_DEPTH = 4

export const fromSchema = (schema: unknown, next: Random): unknown => value(schema, object(schema) ?? {}, next, 0)

const value = (schema: unknown, root: JsonObject, next: Random, depth: number): unknown => {
  const node = object(schema)
  if (node === undefined) return schema === false ? null : word(next)
  if ("const" in node) return node["const"]
  if (Array.isArray(node["enum"])) return pick(node["enum"], next)
  const ref = string(node["$ref"])
  if (ref !== undefined) {
    const { $ref: _, ...own } = node
    const target = object(resolve(ref, root))
    // Keywords beside a reference narrow it.
    return value(target === undefined ? {} : { ...target, ...own }, root, next, depth)
  }
  const options = [...array(node["anyOf"]), ...array(node["oneOf"])]
  // At depth the last alternative that is no reference ends a recursive type; null is one often.
  if (options.length > 0) {
    const flat =
      depth < MAX_OPTIONAL_DEPTH ? options : options.filter((option) => object(option)?.["$ref"] === undefined)
    return value(pick(flat.length > 0 ? flat : options, next), { ...root, ...defs(node) }, next, depth)
  }
  const parts = array(node["allOf"])
  if (parts.length > 0) return value(merge(node, parts, root), root, next, depth)
  switch (typeOf(node, next)) {
    case "object":
      return objectValue(node, root, next, depth)
    case "array":
      return arrayValue(node, root, next, depth)
    case "integer":
      return numberValue(node, next, true)
    case "number":
      return numberValue(node, next, false)
    case "boolean":
      return next() < 0.5
    case "null":
      return null
    default:
      return stringValue(node, next)
  }
}

const pick = (options: ReadonlyArray<unknown>, next: Random): unknown => options[Math.floor(next() * options.length)]

const defs = (node: JsonObject): JsonObject => ("$defs" in node ? { $defs: node["$defs"] } : {})

const resolve = (ref: string, root: JsonObject): unknown => {
  let at: unknown = root
  for (const part of ref.split("/").slice(1))
    at = object(at)?.[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")]
  return at
}

const merge = (node: JsonObject, parts: ReadonlyArray<unknown>, root: JsonObject): JsonObject => {
  const { allOf: _, ...own } = node
  let all: JsonObject = own
  for (const part of parts) {
    const ref = string(object(part)?.["$ref"])
    const one = object(ref === undefined ? part : resolve(ref, root)) ?? {}
    all = {
      ...all,
      ...one,
      properties: { ...object(all["properties"]), ...object(one["properties"]) },
      required: [...array(all["required"]), ...array(one["required"])]
    }
  }
  return all
}

const typeOf = (node: JsonObject, next: Random): string | undefined => {
  const type = node["type"]
  if (Array.isArray(type)) return string(pick(type, next))
  if (typeof type === "string") return type
  if ("properties" in node || "additionalProperties" in node) return "object"
  if ("items" in node || "prefixItems" in node) return "array"
  if ("minimum" in node || "maximum" in node || "multipleOf" in node) return "number"
  return undefined
}

const objectValue = (node: JsonObject, root: JsonObject, next: Random, depth: number): JsonObject => {
  const required = new Set(array(node["required"]))
  const result: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(object(node["properties"]) ?? {})) {
    if (required.has(name) || depth < MAX_OPTIONAL_DEPTH) result[name] = value(property, root, next, depth + 1)
  }
  const extra = node["additionalProperties"]
  for (let i = Object.keys(result).length; i < (number(node["minProperties"]) ?? 0); i++) {
    result[`${word(next)}${i}`] = value(object(extra) ?? {}, root, next, depth + 1)
  }
  return result
}

const arrayValue = (node: JsonObject, root: JsonObject, next: Random, depth: number): ReadonlyArray<unknown> => {
  const min = number(node["minItems"]) ?? 0
  const max = number(node["maxItems"]) ?? Infinity
  // Tuples are written either way, by the draft of JSON schema.
  const first = Array.isArray(node["items"]) ? node["items"] : array(node["prefixItems"])
  const items = Array.isArray(node["items"]) ? node["additionalItems"] : node["items"]
  const result = first.map((item) => value(item, root, next, depth + 1))
  const wanted = items === false ? result.length : Math.min(max, Math.max(min, depth < MAX_OPTIONAL_DEPTH ? 2 : 0))
  const seen = new Set(result.map((item) => JSON.stringify(item)))
  // Unique items are drawn again, a bounded number of times: an enum may not have enough of them.
  for (let draws = 0; result.length < wanted && draws < wanted * 20; draws++) {
    const item = value(items ?? {}, root, next, depth + 1)
    const text = JSON.stringify(item)
    if (node["uniqueItems"] === true && seen.has(text)) continue
    seen.add(text)
    result.push(item)
  }
  return result
}

const numberValue = (node: JsonObject, next: Random, whole: boolean): number => {
  const step = number(node["multipleOf"]) ?? (whole ? 1 : 0.01)
  const exclusiveMin = number(node["exclusiveMinimum"])
  const exclusiveMax = number(node["exclusiveMaximum"])
  const low = Math.max(number(node["minimum"]) ?? -Infinity, exclusiveMin ?? -Infinity)
  const high = Math.min(number(node["maximum"]) ?? Infinity, exclusiveMax ?? Infinity)
  const from = Number.isFinite(low) ? low : Number.isFinite(high) ? high - 100 * step : 0
  const to = Number.isFinite(high) ? high : from + 100 * step
  let first = Math.ceil(from / step)
  let last = Math.floor(to / step)
  if (first * step === exclusiveMin) first++
  if (last * step === exclusiveMax) last--
  if (last < first) return from === to ? from : from + (to - from) / 2
  const steps = first + Math.floor(next() * (last - first + 1))
  // 3 * 0.01 is not 0.03: divide by the inverse where the step has one.
  const inverse = Math.round(1 / step)
  return step < 1 && Math.abs(inverse * step - 1) < 1e-9 ? steps / inverse : steps * step
}

const hex = (next: Random, length: number): string =>
  Array.from({ length }, () => Math.floor(next() * 16).toString(16)).join("")

const FORMATS: Readonly<Record<string, (next: Random) => string>> = {
  "date-time": (next) => new Date(Math.floor(next() * 1.7e12)).toISOString(),
  date: (next) => new Date(Math.floor(next() * 1.7e12)).toISOString().slice(0, 10),
  time: (next) => new Date(Math.floor(next() * 1.7e12)).toISOString().slice(11),
  duration: (next) => `PT${1 + Math.floor(next() * 59)}M`,
  email: (next) => `${word(next)}@${word(next)}.example`,
  hostname: (next) => `${word(next)}.example`,
  ipv4: (next) => `192.0.2.${Math.floor(next() * 256)}`,
  ipv6: (next) => `2001:db8::${hex(next, 4)}`,
  uri: (next) => `https://${word(next)}.example/${word(next)}`,
  uuid: (next) => `${hex(next, 8)}-${hex(next, 4)}-4${hex(next, 3)}-a${hex(next, 3)}-${hex(next, 12)}`
}

const stringValue = (node: JsonObject, next: Random): string => {
  const format = FORMATS[string(node["format"]) ?? ""]
  if (format !== undefined) return format(next)
  const min = number(node["minLength"]) ?? 0
  const max = number(node["maxLength"]) ?? Infinity
  let text = prose(next, 2).join("")
  while (text.length < min) text += ` ${word(next)}`
  if (text.length > max) text = text.slice(0, max).replace(/ $/, "x")
  const pattern = string(node["pattern"])
  if (pattern === undefined) return text
  return fromPattern(pattern, next, (drawn) => drawn.length >= min && drawn.length <= max) ?? text
}
