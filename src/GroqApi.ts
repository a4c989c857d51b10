/**
 * Groq's API without an SDK between: the direct door. `groq-sdk` is needed for its types alone; where it is not installed
 * they are `any`.
 *
 * Requests, answers and errors are those of `GroqClient`, through the same leases, quota, retries and connections: equal
 * options are one client for both. Prefer it where the SDK's own work is too much: it takes a quarter to a half of the CPU.
 *
 * @example
 * ```ts
 * import * as GroqApi from "clientele/GroqApi"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * export const agent = (question: string) =>
 *   GroqApi.chat(undefined, {
 *     model: "llama-3.3-70b-versatile",
 *     messages: [{ role: "user", content: question }]
 *   }).pipe(Effect.map(({ choices }) => choices[0]?.message.content))
 *
 * export const story = GroqApi.chatStream(undefined, {
 *   model: "llama-3.3-70b-versatile",
 *   messages: [{ role: "user", content: "Tell me a story." }]
 * }).pipe(Stream.map(({ choices }) => choices[0]?.delta.content ?? ""))
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as ClientConfig from "./ClientConfig.ts"
import type { ClientError, OptionsError } from "./ClientError.ts"
import type { ClientMap } from "./ClientMap.ts"
import { groq } from "./internal/direct/apis.ts"
import * as internal from "./internal/direct/effects.ts"
import type { ApiRequest, CallOptions } from "./internal/direct/options.ts"
import type * as Sdk from "./internal/direct/types/groq.ts"

export type { ApiRequest, CallOptions, Query } from "./internal/direct/options.ts"

/**
 * Options of the client, as `GroqClient.Options`, or a config made from them. What is absent comes from the environment.
 *
 * @since 0.1.0
 * @category models
 */
export type Client = ClientConfig.Options | ClientConfig.ClientConfig<"groq"> | undefined

const api = internal.make(groq)

/**
 * Validates and normalises options and fills in what is absent from the environment. The result may be given wherever
 * options may, and saves that work: make it once, outside of the agents.
 *
 * @since 0.1.0
 * @category accessors
 */
export const config: (client?: Client) => Effect.Effect<ClientConfig.ClientConfig<"groq">, OptionsError> =
  groq.provider.config

/**
 * One completion: `POST /openai/v1/chat/completions`. Interruption aborts the request. Bodies that can't be sent are a
 * `RequestError` `BadRequest` whose `processed` is `"no"`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const chat: (
  client: Client,
  body: Sdk.ChatBody,
  options?: CallOptions
) => Effect.Effect<Sdk.ChatCompletion, ClientError, ClientMap> = api.chat as never

/**
 * One completion as it comes. The request is sent when the stream begins, and aborted when its consumer ends before it;
 * back-pressure reaches the provider. A chunk of the stream holds what one read of the socket brought. A failure follows
 * the events that came before it.
 *
 * @since 0.1.0
 * @category accessors
 */
export const chatStream: (
  client: Client,
  body: Sdk.ChatStreamBody,
  options?: CallOptions
) => Stream.Stream<Sdk.ChatCompletionChunk, ClientError, ClientMap> = api.chatStream as never

/**
 * Embeddings of texts: `POST /openai/v1/embeddings`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const embeddings: (
  client: Client,
  body: Sdk.EmbeddingsBody,
  options?: CallOptions
) => Effect.Effect<Sdk.Embeddings, ClientError, ClientMap> = api.embeddings as never

/**
 * A request to any path below the base URL. The value is the parsed answer if that is JSON, else its text; `null` for a
 * 204.
 *
 * @since 0.1.0
 * @category accessors
 */
export const request: (client: Client, request: ApiRequest) => Effect.Effect<unknown, ClientError, ClientMap> =
  api.request
