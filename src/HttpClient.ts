/**
 * @effect/platform's `HttpClient` on pooled connections: whatever is written for it, such as @effect/ai-openai and
 * @effect/ai-anthropic, keeps the bounds on sockets, the budgets of credentials and the retries of this package by one layer.
 *
 * Requests are shared by origin and by the credential that stands in their headers (`authorization`, `x-api-key`,
 * `api-key`, `x-goog-api-key`): all with the same credential wait for the same Retry-After. Connections to an origin are
 * shared by all. They close when the last client of `ClientMap` that uses them goes.
 *
 * @example
 * ```ts
 * import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
 * import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as HttpClient from "clientele/HttpClient"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * export const model = OpenAiLanguageModel.layer({ model: "gpt-5-mini" }).pipe(
 *   Layer.provide(OpenAiClient.layer({ apiKey: Redacted.make("sk-...") })),
 *   Layer.provide(HttpClient.layer({ quota: { requestsPerMinute: 500 } })),
 *   Layer.provide(ClientLayer.layer())
 * )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as PlatformHttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ClientMap } from "./ClientMap.ts"
import * as OriginFetch from "./internal/client/originFetch.ts"

/**
 * Timeouts, retries, quota and transport of all requests, as for any client. Responses of 429 or 5xx are retried here,
 * at most `maxRetries` times; turn off the retries of the code above.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = OriginFetch.Options

/**
 * The `HttpClient` for the effects below. A request that fails without an answer is a `RequestError` of reason `Transport`
 * whose `cause` is ours: a `RequestError` or a `PoolError` of `clientele/ClientError`, or an `OptionsError` if the
 * options can't be used.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<PlatformHttpClient.HttpClient, never, ClientMap> =>
  Layer.provide(
    FetchHttpClient.layer,
    Layer.effect(
      FetchHttpClient.Fetch,
      Effect.map(ClientMap, (map) => OriginFetch.make(map, options))
    )
  )
