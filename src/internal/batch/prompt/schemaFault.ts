/** Finds what no JSON schema may have, before anything is sent: a schema that nothing fits would cost two requests a row. */
import type { JsonSchema } from "./jsonSchema.ts"

const TYPES: ReadonlyArray<unknown> = ["string", "number", "integer", "boolean", "object", "array", "null"]

/** Keywords whose value is a schema, a list of schemas, or an object of schemas. */
const ONE = ["items", "contains", "additionalProperties", "additionalItems", "not"]
const LISTS = ["allOf", "anyOf", "oneOf", "prefixItems"]
const NAMED = ["properties", "patternProperties", "$defs", "definitions"]

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === "string")

const own = (schema: JsonSchema, path: string): string | undefined => {
  const { enum: values, required, type } = schema
  const at = (keyword: string) => (path === "" ? keyword : `${path}.${keyword}`)
  const unknown = type === undefined ? [] : [type].flat().filter((one) => !TYPES.includes(one))
  if (unknown.length > 0) return `${at("type")} is ${JSON.stringify(unknown[0])}; expected one of ${TYPES.join(", ")}`
  if (required !== undefined && !isTexts(required)) return `${at("required")} is no list of names`
  if (values !== undefined && !Array.isArray(values)) return `${at("enum")} is no list of values`
  const notNamed = NAMED.find((keyword) => schema[keyword] !== undefined && !isObject(schema[keyword]))
  if (notNamed !== undefined) return `${at(notNamed)} is no object of schemas`
  const notList = LISTS.find((keyword) => schema[keyword] !== undefined && !Array.isArray(schema[keyword]))
  return notList === undefined ? undefined : `${at(notList)} is no list of schemas`
}

/** The schemas within one, each with its path. */
const within = (schema: JsonSchema): ReadonlyArray<readonly [path: string, schema: unknown]> => [
  ...ONE.map((keyword) => [keyword, schema[keyword]] as const),
  ...[...LISTS, ...NAMED].flatMap((keyword) =>
    Object.entries(schema[keyword] ?? {}).map(([name, one]) => [`${keyword}.${name}`, one] as const)
  )
]

/** Names the first fault of a schema, `undefined` for one without. */
export const faultOf = (schema: unknown, path = ""): string | undefined => {
  if (!isObject(schema)) return undefined
  const fault = own(schema, path)
  if (fault !== undefined) return fault
  for (const [name, one] of within(schema)) {
    const inner = faultOf(one, path === "" ? name : `${path}.${name}`)
    if (inner !== undefined) return inner
  }
  return undefined
}
