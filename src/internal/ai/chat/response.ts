/** Responses of `chat.completions`, as far as we read them. No field is assumed to be present. */
import type * as Response from "@effect/ai/Response"
import * as Usage from "../usage.ts"

interface Piece {
  readonly type?: string
  readonly text?: string | null
  readonly thinking?: string | ReadonlyArray<Piece> | null
}

export interface Delta {
  /** In pieces from Mistral's reasoning models. */
  readonly content?: string | ReadonlyArray<Piece> | null
  readonly refusal?: string | null
  /** Groq's and Cerebras's; vLLM, DeepSeek and others use `reasoning_content`. */
  readonly reasoning?: string | null
  readonly reasoning_content?: string | null
  readonly tool_calls?: ReadonlyArray<ToolCall> | null
}

export interface ToolCall {
  readonly index?: number
  readonly id?: string | null
  /** Some servers give arguments as the object that their JSON would be. */
  readonly function?: { readonly name?: string | null; readonly arguments?: string | object | null } | null
}

interface Usage {
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
  readonly total_tokens?: number
  readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number } | null
}

export interface ChatResponse {
  readonly id?: string
  readonly model?: string
  readonly created?: number
  readonly choices?: ReadonlyArray<{
    readonly message?: Delta
    readonly delta?: Delta
    readonly finish_reason?: string | null
  }> | null
  readonly usage?: Usage | null
  /** Usage in Groq's streams. */
  readonly x_groq?: { readonly usage?: Usage } | null
}

const reasons: Readonly<Record<string, Response.FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
  function_call: "tool-calls"
}

export const reasonOf = (said: string | null | undefined, hasCalls: boolean): Response.FinishReason =>
  // Some servers send "stop" after calls.
  hasCalls && (said === "stop" || said == null) ? "tool-calls" : said == null ? "unknown" : (reasons[said] ?? "other")

export const usageOf = ({ usage, x_groq }: ChatResponse): Response.FinishPartEncoded["usage"] => {
  const of = usage ?? x_groq?.usage
  return Usage.encoded({
    input: of?.prompt_tokens,
    output: of?.completion_tokens,
    total: of?.total_tokens,
    cached: of?.prompt_tokens_details?.cached_tokens,
    reasoning: of?.completion_tokens_details?.reasoning_tokens
  })
}

export const metadataOf = ({ created, id, model }: ChatResponse): Response.ResponseMetadataPartEncoded => ({
  type: "response-metadata",
  ...(typeof id === "string" && id !== "" && { id }),
  ...(typeof model === "string" && { modelId: model }),
  ...(typeof created === "number" && { timestamp: new Date(created * 1_000).toISOString() })
})

const textOf = (content: string | ReadonlyArray<Piece> | null | undefined): string =>
  Array.isArray(content)
    ? content.map((piece: Piece) => piece?.text ?? "").join("")
    : typeof content === "string"
      ? content
      : ""

export const contentOf = ({ content }: Delta): string => textOf(content)

export const reasoningOf = ({ content, reasoning, reasoning_content }: Delta): string =>
  reasoning ??
  reasoning_content ??
  (Array.isArray(content) ? content.map((piece: Piece) => textOf(piece?.thinking)).join("") : "")

export const argumentsOf = ({ function: said }: ToolCall): string => {
  const text = said?.arguments ?? ""
  return typeof text === "string" ? text : JSON.stringify(text)
}

export const isSaid = (u: unknown): u is ChatResponse =>
  typeof u === "object" && u !== null && ("choices" in u ? u.choices == null || Array.isArray(u.choices) : false)
