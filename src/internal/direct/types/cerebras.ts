/** Types of @cerebras/cerebras_cloud_sdk, or `any` where it is not installed. */
/** @ts-ignore TS2307 without @cerebras/cerebras_cloud_sdk */
import type * as Chat from "@cerebras/cerebras_cloud_sdk/resources/chat/completions"

export type ChatBody = Chat.ChatCompletionCreateParamsNonStreaming
export type ChatStreamBody = Omit<Chat.ChatCompletionCreateParamsStreaming, "stream"> & { readonly stream?: true }
export type ChatCompletion = Chat.ChatCompletion.ChatCompletionResponse
export type ChatCompletionChunk = Chat.ChatCompletion.ChatChunkResponse
