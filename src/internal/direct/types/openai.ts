/** Types of openai (6 or 7), or `any` where it is not installed. */
/** @ts-ignore TS2307 without openai */
import type * as Chat from "openai/resources/chat/completions"
/** @ts-ignore TS2307 without openai */
import type * as Vectors from "openai/resources/embeddings"

export type ChatBody = Chat.ChatCompletionCreateParamsNonStreaming
export type ChatStreamBody = Omit<Chat.ChatCompletionCreateParamsStreaming, "stream"> & { readonly stream?: true }
export type ChatCompletion = Chat.ChatCompletion & { readonly _request_id?: string | null }
export type ChatCompletionChunk = Chat.ChatCompletionChunk
export type EmbeddingsBody = Vectors.EmbeddingCreateParams
export type Embeddings = Vectors.CreateEmbeddingResponse & { readonly _request_id?: string | null }
