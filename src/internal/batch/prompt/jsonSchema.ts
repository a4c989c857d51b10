/**
 * Checks values by JSON schema: the vocabularies of validation and of composition of draft 2020-12, with references within
 * the schema. `format` and unknown keywords assert nothing, as the draft has it.
 */
import { canonical } from "../rows/rowIdentity.ts"

export type JsonSchema = Readonly<Record<string, unknown>>

/** Errors listed for one value: a model needs no more to repair it. */
const MAX_ERRORS = 8
/** Schemas may refer to themselves; values are finite, but a `$ref` to itself is not. */
const MAX_DEPTH = 200

interface Check {
  readonly root: unknown
  readonly errors: Array<string>
}

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const typeName = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value === "number" ? "number" : typeof value

const hasType = (value: unknown, type: unknown): boolean =>
  type === "integer" ? Number.isInteger(value) : typeName(value) === type

const resolve = (root: unknown, ref: string): unknown => {
  if (!ref.startsWith("#")) return undefined
  let node: unknown = root
  for (const part of ref.slice(1).split("/").slice(1)) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")
    node = isObject(node) || Array.isArray(node) ? (node as Readonly<Record<string, unknown>>)[name] : undefined
  }
  return node
}

const count = (check: Check, path: string, number: number, [min, max]: readonly [unknown, unknown], unit: string) => {
  if (typeof min === "number" && number < min) check.errors.push(`${path}: fewer than ${min} ${unit}`)
  if (typeof max === "number" && number > max) check.errors.push(`${path}: more than ${max} ${unit}`)
}

const numberErrors = (check: Check, schema: JsonSchema, value: number, path: string): void => {
  const { exclusiveMaximum, exclusiveMinimum, maximum, minimum, multipleOf } = schema
  const fail = (bound: unknown, relation: string) => check.errors.push(`${path}: ${value} is not ${relation} ${bound}`)
  if (typeof minimum === "number" && value < minimum) fail(minimum, "at least")
  if (typeof maximum === "number" && value > maximum) fail(maximum, "at most")
  if (typeof exclusiveMinimum === "number" && value <= exclusiveMinimum) fail(exclusiveMinimum, "above")
  if (typeof exclusiveMaximum === "number" && value >= exclusiveMaximum) fail(exclusiveMaximum, "below")
  if (typeof multipleOf !== "number") return
  const quotient = value / multipleOf
  // 0.3 / 0.1 is 2.9999999999999996.
  if (Math.abs(quotient - Math.round(quotient)) > 1e-9 * Math.max(1, Math.abs(quotient)))
    fail(multipleOf, "a multiple of")
}

const patterns = new Map<string, RegExp | undefined>()

const patternOf = (source: string): RegExp | undefined => {
  if (!patterns.has(source)) {
    let pattern: RegExp | undefined
    try {
      pattern = new RegExp(source, "u")
    } catch {
      // An invalid pattern asserts nothing.
    }
    patterns.set(source, pattern)
  }
  return patterns.get(source)
}

const stringErrors = (check: Check, schema: JsonSchema, value: string, path: string): void => {
  const { maxLength, minLength, pattern } = schema
  if (minLength !== undefined || maxLength !== undefined) {
    count(check, path, [...value].length, [minLength, maxLength], "characters")
  }
  if (typeof pattern !== "string") return
  if (patternOf(pattern)?.test(value) === false) check.errors.push(`${path}: does not match ${pattern}`)
}

const arrayErrors = (check: Check, schema: JsonSchema, value: ReadonlyArray<unknown>, path: string, depth: number) => {
  const { contains, items, maxItems, minItems, prefixItems, uniqueItems } = schema
  count(check, path, value.length, [minItems, maxItems], "items")
  if (uniqueItems === true && new Set(value.map(canonical)).size < value.length)
    check.errors.push(`${path}: equal items`)
  const first = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : []
  const rest = Array.isArray(items) ? schema["additionalItems"] : items
  value.forEach((item, i) => {
    const one = i < first.length ? first[i] : rest
    if (one !== undefined) visit(check, one, item, `${path}[${i}]`, depth)
  })
  if (contains !== undefined && !value.some((item) => isValid(check, contains, item, depth))) {
    check.errors.push(`${path}: no item of the kind that it must contain`)
  }
}

const objectErrors = (check: Check, schema: JsonSchema, value: JsonSchema, path: string, depth: number): void => {
  const { additionalProperties, maxProperties, minProperties, patternProperties, properties, required } = schema
  const names = Object.keys(value)
  count(check, path, names.length, [minProperties, maxProperties], "properties")
  for (const name of Array.isArray(required) ? required : []) {
    if (!Object.hasOwn(value, String(name))) check.errors.push(`${path}: ${String(name)} is missing`)
  }
  const known = isObject(properties) ? properties : {}
  const byPattern = Object.entries(isObject(patternProperties) ? patternProperties : {})
  for (const name of names) {
    const at = `${path}.${name}`
    const own = Object.hasOwn(known, name)
    if (own) visit(check, known[name], value[name], at, depth)
    const matching = byPattern.filter(([source]) => patternOf(source)?.test(name) === true)
    for (const [, one] of matching) visit(check, one, value[name], at, depth)
    if (own || matching.length > 0 || additionalProperties === undefined) continue
    if (additionalProperties === false) check.errors.push(`${path}: ${name} is not allowed`)
    else visit(check, additionalProperties, value[name], at, depth)
  }
}

const isValid = ({ root }: Check, schema: unknown, value: unknown, depth: number): boolean => {
  const check: Check = { root, errors: [] }
  visit(check, schema, value, "", depth)
  return check.errors.length === 0
}

const composed = (check: Check, schema: JsonSchema, value: unknown, path: string, depth: number): void => {
  const { allOf, anyOf, not, oneOf, $ref } = schema
  if (typeof $ref === "string") {
    const target = resolve(check.root, $ref)
    if (target !== undefined) visit(check, target, value, path, depth)
  }
  for (const one of Array.isArray(allOf) ? allOf : []) visit(check, one, value, path, depth)
  if (Array.isArray(anyOf) && !anyOf.some((one) => isValid(check, one, value, depth))) {
    check.errors.push(`${path}: fits none of ${anyOf.length} alternatives`)
  }
  if (Array.isArray(oneOf)) {
    const fitting = oneOf.filter((one) => isValid(check, one, value, depth)).length
    if (fitting !== 1) check.errors.push(`${path}: fits ${fitting} of ${oneOf.length} alternatives, not one`)
  }
  if (not !== undefined && isValid(check, not, value, depth)) check.errors.push(`${path}: is what it must not be`)
}

const visit = (check: Check, schema: unknown, value: unknown, path: string, depth: number): void => {
  if (check.errors.length >= MAX_ERRORS || depth > MAX_DEPTH || schema === true) return
  if (schema === false) check.errors.push(`${path}: nothing is allowed here`)
  if (!isObject(schema)) return
  const { type } = schema
  const types = Array.isArray(type) ? type : [type]
  if (type !== undefined && !types.some((one) => hasType(value, one))) {
    check.errors.push(`${path}: is ${typeName(value)}, not ${types.join(" or ")}`)
    return
  }
  if ("const" in schema && canonical(schema["const"]) !== canonical(value)) {
    check.errors.push(`${path}: is not ${canonical(schema["const"])}`)
  }
  if (Array.isArray(schema["enum"]) && !schema["enum"].some((one) => canonical(one) === canonical(value))) {
    check.errors.push(`${path}: is none of ${schema["enum"].map(canonical).join(", ").slice(0, 200)}`)
  }
  if (typeof value === "number") numberErrors(check, schema, value, path)
  else if (typeof value === "string") stringErrors(check, schema, value, path)
  else if (Array.isArray(value)) arrayErrors(check, schema, value, path, depth + 1)
  else if (isObject(value)) objectErrors(check, schema, value, path, depth + 1)
  composed(check, schema, value, path, depth + 1)
}

/** Errors of a value, each with its path; none if it fits. */
export const errorsOf = (schema: JsonSchema, value: unknown): ReadonlyArray<string> => {
  const check: Check = { root: schema, errors: [] }
  visit(check, schema, value, "answer", 0)
  return check.errors.slice(0, MAX_ERRORS)
}
