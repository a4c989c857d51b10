/** Types of prompts. */
import type * as Schema from "effect/Schema"
import type { CommonOptions } from "../../../ClientConfig.ts"

/**
 * A provider and its model: `openai:gpt-5-mini`, `azure:my-deployment`, `groq:llama-3.3-70b-versatile`, `cerebras:...`.
 *
 * @since 0.1.0
 * @category models
 */
export type ModelName = `${"openai" | "azure" | "groq" | "cerebras"}:${string}`

/**
 * Parameters of the request, sent as they are: `temperature`, `max_completion_tokens`, `reasoning_effort`, ...
 *
 * @since 0.1.0
 * @category models
 */
export type PromptParams = Readonly<Record<string, unknown>>

/**
 * A message of a rendered prompt.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

// oxlint-disable-next-line typescript/no-explicit-any -- whatever it is encoded as
type AnswerSchema<A> = Schema.Schema<A, any>

/**
 * Options of a prompt.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromptOptions<A> {
  readonly model: ModelName
  /** With `{{column}}` for the value of a row's column; objects and arrays are written as JSON. */
  readonly prompt: string
  /** The same for the system message. @default none */
  readonly system?: string | undefined
  /**
   * A JSON schema for the answer, or an Effect `Schema`, which also decodes it. Answers are checked; one that does not fit is
   * asked for once more with its errors. Without one the answer is text. A value restored from a journal or a cache is the
   * JSON of the decoded one, read again, so use schemas whose values are JSON: a `Date` would come back as a text.
   *
   * @default none
   */
  readonly schema?: AnswerSchema<A> | Readonly<Record<string, unknown>> | undefined
  /**
   * The way in which the schema is sent: as the provider's `response_format` of that type, or in the system message alone.
   *
   * @default "json_schema"; "json_object" for Groq, most of whose models take no schemas
   */
  readonly format?: "json_schema" | "json_object" | "text" | undefined
  /** Requests to repair an answer that does not fit the schema. @default 1 */
  readonly repairs?: 0 | 1 | undefined
  /** @default none */
  readonly params?: PromptParams | undefined
  /**
   * Options of the client: key, base URL, quota, transport, for Azure `endpoint` and `apiVersion`. With a batch's patience
   * by default: `maxRetries` 8, `maxRetryAfter` 10 minutes.
   *
   * @default the environment's
   */
  readonly client?: (CommonOptions & Readonly<Record<string, unknown>>) | undefined
}
