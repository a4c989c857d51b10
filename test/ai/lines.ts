/** In what the two Effects differ that tests of models see: names of failures, usage, and vectors. */
import * as AiError from "@effect/ai/AiError"
import type * as Response from "@effect/ai/Response"
import * as Schema from "effect/Schema"

/** Names of failures, by what has gone wrong. */
export const kinds = {
  limit: "HttpResponseError",
  badRequest: "HttpResponseError",
  server: "HttpResponseError",
  connection: "HttpRequestError",
  /** A failure under a status of success. */
  reported: "HttpRequestError",
  garbage: "MalformedOutput",
  refusal: "MalformedOutput",
  /** An object that its schema rejects. */
  object: "MalformedOutput",
  unknownTool: "MalformedOutput",
  invalidJson: "MalformedOutput",
  params: "MalformedOutput",
  prompt: "MalformedInput",
  options: "MalformedInput",
  unknown: "UnknownError"
}

/** Name of a refusal in spans. */
export const spanName = /HttpResponseError: 400/

export const kindOf = (error: { readonly _tag: string }): string => error._tag

export const statusOf = (error: unknown): number | undefined =>
  error instanceof AiError.HttpResponseError ? error.response.status : undefined

/** The failure behind an AiError. */
export const causeOf = (error: { readonly cause?: unknown }): unknown => error.cause

/** Flat, for both. */
export const usageOf = ({
  cachedInputTokens,
  inputTokens,
  outputTokens,
  reasoningTokens,
  totalTokens
}: Response.Usage) => ({ cachedInputTokens, inputTokens, outputTokens, reasoningTokens, totalTokens })

type Vector = ReadonlyArray<number>

export const vectorOf = (answer: Vector): Vector => answer

export const vectorsOf = (answer: ReadonlyArray<Vector>): ReadonlyArray<Vector> => answer

/** JSON of the value of a schema that a model gave as this JSON. */
export const valueOf = (schema: Schema.Schema<unknown, unknown>, json: unknown): unknown =>
  JSON.parse(JSON.stringify(Schema.decodeUnknownSync(schema)(json)))
