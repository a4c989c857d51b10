/** Schemas of answers: how they are asked for, and how answers are checked by them. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { BatchError } from "../errors.ts"
import * as EffectSchema from "./effectSchema.ts"
import { jsonIn } from "./answerText.ts"
import { errorsOf, type JsonSchema } from "./jsonSchema.ts"
import type { ChatMessage } from "./model.ts"
import { faultOf } from "./schemaFault.ts"

export type SchemaFormat = "json_schema" | "json_object" | "text"

export interface AnswerSchema {
  readonly json: JsonSchema
  /** Parameters that ask for it. */
  readonly params: Readonly<Record<string, unknown>>
  /** Added to the system message, "" if the parameters say all. */
  readonly instruction: string
  /** `Left` has the errors, for the model. */
  readonly read: (text: string) => Either.Either<unknown, string>
}

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** True if OpenAI's strict mode takes it: objects name all their properties, and require each. */
const isStrict = (schema: unknown): boolean => {
  if (Array.isArray(schema)) return schema.every(isStrict)
  if (!isRecord(schema)) return true
  if (schema["type"] === "object" || "properties" in schema) {
    const names = Object.keys(isRecord(schema["properties"]) ? schema["properties"] : {})
    const required = schema["required"]
    const isWhole = Array.isArray(required) && names.every((name) => required.includes(name))
    if (schema["additionalProperties"] !== false || !isWhole) return false
  }
  return Object.values(schema).every((one) => (typeof one === "object" ? isStrict(one) : true))
}

const instructionFor = (json: JsonSchema): string =>
  `Answer with JSON alone, which fits this JSON schema:\n${JSON.stringify(json)}`

const paramsFor = (json: JsonSchema, format: SchemaFormat): Readonly<Record<string, unknown>> => {
  if (format === "text") return {}
  if (format === "json_object") return { response_format: { type: "json_object" } }
  const schema = { name: "answer", schema: json, strict: isStrict(json) }
  return { response_format: { type: "json_schema", json_schema: schema } }
}

type Decode = (value: unknown) => Either.Either<unknown, string>

const answerSchema = (json: JsonSchema, format: SchemaFormat, decode: Decode): AnswerSchema => ({
  json,
  params: paramsFor(json, format),
  instruction: format === "json_schema" ? "" : instructionFor(json),
  read: (text) => {
    const found = jsonIn(text)
    return found === undefined ? Either.left("answer: is no JSON") : decode(found.value)
  }
})

const ofEffect = async (schema: EffectSchema.AnySchema, format: SchemaFormat): Promise<AnswerSchema> => {
  const { decode, json } = await EffectSchema.load(schema)
  return answerSchema(json, format, decode)
}

const ofJson = (json: JsonSchema, format: SchemaFormat): AnswerSchema =>
  answerSchema(json, format, (value) => {
    const errors = errorsOf(json, value)
    return errors.length === 0 ? Either.right(value) : Either.left(errors.join("\n"))
  })

const ofChecked = (json: JsonSchema, format: SchemaFormat): Effect.Effect<AnswerSchema, BatchError> => {
  const fault = faultOf(json)
  return fault === undefined
    ? Effect.succeed(ofJson(json, format))
    : new BatchError({ reason: "Options", detail: `schema is no JSON schema: ${fault}` })
}

export const make = (schema: unknown, format: SchemaFormat): Effect.Effect<AnswerSchema, BatchError> => {
  // Schemas of effect are classes, too, and so functions.
  const given = schema as object
  if (isRecord(schema) || typeof schema === "function") {
    if (!EffectSchema.is(given)) return ofChecked(given as JsonSchema, format)
    return Effect.tryPromise({
      try: () => ofEffect(given, format),
      catch: (cause) =>
        new BatchError({
          reason: "Options",
          detail: `schema has no JSON schema: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause
        })
    })
  }
  return new BatchError({ reason: "Options", detail: "schema is neither a JSON schema nor an Effect Schema" })
}

const MAX_ERROR_TEXT = 2_000

/** The messages that ask once more, with what was wrong. */
export const repairing = (
  messages: ReadonlyArray<ChatMessage>,
  answer: string,
  errors: string
): ReadonlyArray<ChatMessage> => [
  ...messages,
  { role: "assistant", content: answer },
  {
    role: "user",
    content:
      `That answer does not fit the schema:\n${errors.slice(0, MAX_ERROR_TEXT)}\n` +
      "Answer again, whole, with JSON alone that fits it."
  }
]

/** Tokens that `repairing` adds at most, beside the answer. */
export const MAX_REPAIR_TOKENS = MAX_ERROR_TEXT + 200
