/** Effect's schemas of answers. Their module is loaded only for those who have one. */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"

export type AnySchema = Schema.Schema<unknown, unknown>

/** As effect marks its schemas. */
const SCHEMA: unique symbol = Symbol.for("effect/Schema") as never

export const is = (schema: object): schema is AnySchema => SCHEMA in schema

export interface LoadedSchema {
  readonly json: Readonly<Record<string, unknown>>
  /** `Left` has the errors. */
  readonly decode: (value: unknown) => Either.Either<unknown, string>
}

export const load = async (schema: AnySchema): Promise<LoadedSchema> => {
  const [{ decodeUnknownEither }, JSONSchema] = await Promise.all([
    import("effect/Schema"),
    import("effect/JSONSchema")
  ])
  const decode = decodeUnknownEither(schema)
  const { $schema: _, ...json } = JSONSchema.make(schema) as unknown as Record<string, unknown>
  return { json, decode: (value) => Either.mapLeft(decode(value), ({ message }) => message) }
}
