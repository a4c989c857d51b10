/** Effect's schemas of answers. Their module is loaded only for those who have one. */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"

export type AnySchema = Schema.Codec<unknown, unknown>

/** As effect marks its schemas. */
const SCHEMA = "~effect/Schema/Schema"

export const is = (schema: object): schema is AnySchema => SCHEMA in schema

export interface LoadedSchema {
  readonly json: Readonly<Record<string, unknown>>
  /** A failure has the errors. */
  readonly decode: (value: unknown) => Result.Result<unknown, string>
}

export const load = async (schema: AnySchema): Promise<LoadedSchema> => {
  const { decodeUnknownResult, toJsonSchemaDocument } = await import("effect/Schema")
  const decode = decodeUnknownResult(schema)
  const { definitions, schema: json } = toJsonSchemaDocument(schema)
  const $defs = Object.keys(definitions).length === 0 ? {} : { $defs: definitions }
  return { json: { ...json, ...$defs }, decode: (value) => Result.mapError(decode(value), ({ message }) => message) }
}
