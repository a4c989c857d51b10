/** Effect's schemas of answers. */
import * as Either from "effect/Either"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"

export type AnySchema = Schema.Schema<unknown, unknown>

/** As effect marks its schemas. */
const SCHEMA: unique symbol = Symbol.for("effect/Schema") as never

export const is = (schema: object): schema is AnySchema => SCHEMA in schema

export interface SchemaParts {
  readonly json: Readonly<Record<string, unknown>>
  /** `Left` has the errors. */
  readonly decode: (value: unknown) => Either.Either<unknown, string>
}

export const partsOf = (schema: AnySchema): SchemaParts => {
  const decode = Schema.decodeUnknownEither(schema)
  const { $schema: _, ...json } = JSONSchema.make(schema) as unknown as Record<string, unknown>
  return { json, decode: (value) => Either.mapLeft(decode(value), ({ message }) => message) }
}
