/** Types of groq-sdk, or `any` where it is not installed. */
/** @ts-ignore TS2307 without groq-sdk */
import type * as Chat from "groq-sdk/resources/chat/completions"
/** @ts-ignore TS2307 without groq-sdk */
import type * as Vectors from "groq-sdk/resources/embeddings"

export type ChatBody = Chat.ChatCompletionCreateParamsNonStreaming
export type ChatStreamBody = Omit<Chat.ChatCompletionCreateParamsStreaming, "stream"> & { readonly stream?: true }
export type ChatCompletion = Chat.ChatCompletion
export type ChatCompletionChunk = Chat.ChatCompletionChunk
export type EmbeddingsBody = Vectors.EmbeddingCreateParams
export type Embeddings = Vectors.CreateEmbeddingResponse
