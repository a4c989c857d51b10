/** Effect's schemas of answers. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

export type AnySchema = Schema.Codec<unknown, unknown>

/** As effect marks its schemas. */
const SCHEMA = "~effect/Schema/Schema"

export const is = (schema: object): schema is AnySchema => SCHEMA in schema

export interface SchemaParts {
  readonly json: Readonly<Record<string, unknown>>
  /** A failure has the errors. */
  readonly decode: (value: unknown) => Result.Result<unknown, string>
}

export const partsOf = (schema: AnySchema): SchemaParts => {
  const decode = Schema.decodeUnknownResult(schema)
  const { definitions, schema: json } = Schema.toJsonSchemaDocument(schema)
  const $defs = Object.keys(definitions).length === 0 ? {} : { $defs: definitions }
  return { json: { ...json, ...$defs }, decode: (value) => Result.mapError(decode(value), ({ message }) => message) }
}
