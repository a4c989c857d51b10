/** Responses of the Responses API, as far as we read them. No field is assumed to be present. */
import type * as Response from "@effect/ai/Response"
import * as Usage from "../usage.ts"

export interface Item {
  readonly type?: string
  readonly id?: string
  readonly call_id?: string
  readonly name?: string
  readonly arguments?: string
  readonly encrypted_content?: string | null
  readonly summary?: ReadonlyArray<{ readonly text?: string }> | null
  readonly content?: ReadonlyArray<{
    readonly type?: string
    readonly text?: string
    readonly refusal?: string
  }> | null
}

export interface ResponsesResponse {
  readonly id?: string
  readonly model?: string
  readonly created_at?: number
  readonly output?: ReadonlyArray<Item>
  readonly status?: string
  readonly incomplete_details?: { readonly reason?: string } | null
  readonly usage?: {
    readonly input_tokens?: number
    readonly output_tokens?: number
    readonly total_tokens?: number
    readonly input_tokens_details?: { readonly cached_tokens?: number } | null
    readonly output_tokens_details?: { readonly reasoning_tokens?: number } | null
  } | null
}

export const isSaid = (u: unknown): u is ResponsesResponse =>
  typeof u === "object" && u !== null && "output" in u && Array.isArray(u.output)

export const usageOf = ({ usage }: ResponsesResponse): Response.FinishPartEncoded["usage"] => {
  const reasoning = usage?.output_tokens_details?.reasoning_tokens
  const cached = usage?.input_tokens_details?.cached_tokens
  return Usage.encoded({
    input: usage?.input_tokens,
    output: usage?.output_tokens,
    total: usage?.total_tokens,
    cached,
    reasoning
  })
}

export const metadataOf = ({ created_at, id, model }: ResponsesResponse): Response.ResponseMetadataPartEncoded => ({
  type: "response-metadata",
  ...(typeof id === "string" && { id }),
  ...(typeof model === "string" && { modelId: model }),
  ...(typeof created_at === "number" && { timestamp: new Date(created_at * 1_000).toISOString() })
})

const cuts: Readonly<Record<string, Response.FinishReason>> = {
  max_output_tokens: "length",
  content_filter: "content-filter"
}

export const reasonOf = (
  { incomplete_details, status }: ResponsesResponse,
  hasCalls: boolean,
  isRefused: boolean
): Response.FinishReason => {
  const cut = incomplete_details?.reason
  if (cut !== undefined) return cuts[cut] ?? "other"
  // Without a word on why.
  if (status === "incomplete") return "length"
  if (status === "failed") return "error"
  if (isRefused) return "content-filter"
  return hasCalls ? "tool-calls" : "stop"
}

/** The provider's own reason for the end of a response. */
export const wordOf = ({ incomplete_details, status }: ResponsesResponse): string | undefined =>
  incomplete_details?.reason ?? status

/** Metadata of an item that its parts need when they are sent back. */
export const metadata = (key: string, { encrypted_content, id }: Item): Response.ProviderMetadata => ({
  [key]: {
    ...(id !== undefined && { itemId: id }),
    ...(encrypted_content != null && { encryptedContent: encrypted_content })
  }
})

export const callOf = ({ arguments: text = "", call_id, id = "", name = "" }: Item) => ({
  id: call_id ?? id,
  name,
  text
})
