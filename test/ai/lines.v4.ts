/** In what the two Effects differ that tests of models see: names of failures, usage, and vectors. */
import * as AiError from "effect/ai/AiError"
import type * as EmbeddingModel from "effect/ai/EmbeddingModel"
import type * as Response from "effect/ai/Response"
import * as Schema from "effect/Schema"

/** Names of failures, by what has gone wrong. */
export const kinds = {
  limit: "RateLimitError",
  badRequest: "InvalidRequestError",
  server: "InternalProviderError",
  connection: "NetworkError",
  /** A failure under a status of success. */
  reported: "InternalProviderError",
  garbage: "InvalidResponseError",
  refusal: "ContentPolicyError",
  /** An object that its schema rejects. */
  object: "StructuredOutputError",
  unknownTool: "ToolNotFoundError",
  invalidJson: "ToolParameterValidationError",
  params: "InvalidOutputError",
  prompt: "InvalidUserInputError",
  options: "InvalidRequestError",
  unknown: "UnknownError"
}

/** Name of a refusal in spans. */
export const spanName = /AiError: 400/

export const kindOf = (error: { readonly _tag: string }): string =>
  AiError.isAiError(error) ? error.reason._tag : error._tag

export const statusOf = (error: unknown): number | undefined =>
  AiError.isAiError(error) && "http" in error.reason ? error.reason.http?.response?.status : undefined

/** The failure behind an AiError. */
export const causeOf = (error: { readonly cause?: unknown }): unknown =>
  AiError.isAiError(error) ? (error.reason as Error).cause : error.cause

/** Flat, for both. */
export const usageOf = ({ inputTokens: input, outputTokens: output }: Response.Usage) => ({
  cachedInputTokens: input.cacheRead,
  inputTokens: input.total,
  outputTokens: output.total,
  reasoningTokens: output.reasoning,
  totalTokens: input.total === undefined || output.total === undefined ? undefined : input.total + output.total
})

export const vectorOf = (answer: EmbeddingModel.EmbedResponse): ReadonlyArray<number> => answer.vector

export const vectorsOf = (answer: EmbeddingModel.EmbedManyResponse): ReadonlyArray<ReadonlyArray<number>> =>
  answer.embeddings.map(vectorOf)

/** JSON of the value of a schema that a model gave as this JSON, in which `null` stands for what is left out. */
export const valueOf = (schema: Schema.Codec<unknown, unknown>, json: unknown): unknown =>
  JSON.parse(JSON.stringify(Schema.decodeUnknownSync(Schema.toCodecJson(schema))(json)))
