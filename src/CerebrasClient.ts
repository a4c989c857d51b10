/**
 * Cerebras, through `@cerebras/cerebras_cloud_sdk`, without the request that this SDK sends to warm up each client.
 * Variables: `CEREBRAS_API_KEY`, `CEREBRAS_BASE_URL`, `CEREBRAS_CUSTOM_HEADERS`.
 *
 * Every function takes options or a `config` made from them; what is absent comes from the environment. The client is the
 * SDK's own, and shared by all whose options mean the same.
 *
 * @example
 * ```ts
 * import * as CerebrasClient from "clientele/CerebrasClient"
 *
 * export const agent = (question: string) =>
 *   CerebrasClient.use(undefined, (cerebras) =>
 *     cerebras.chat.completions.create({
 *       model: "llama3.1-8b",
 *       messages: [{ role: "user", content: question }]
 *     })
 *   )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import type * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as ClientConfig from "./ClientConfig.ts"
import type { ClientError, OptionsError } from "./ClientError.ts"
import * as ClientMap from "./ClientMap.ts"
import { cerebras as spec } from "./internal/config/specs.ts"
import { construct } from "./internal/sdk/sharedClient.ts"
import * as Provider from "./Provider.ts"

/**
 * The client as a service, for those who want it in their context.
 *
 * @since 0.1.0
 * @category tags
 */
export class CerebrasClient extends Context.Tag("clientele/CerebrasClient")<CerebrasClient, Cerebras>() {}

/**
 * The common options. What is absent comes from the environment; units and
 * defaults are in `ClientConfig.CommonOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = ClientConfig.Options

/**
 * The provider of `Cerebras` clients, for code that calls `ClientMap.accessors` or the client map directly.
 *
 * @since 0.1.0
 * @category models
 */
export const provider = Provider.make({
  tag: CerebrasClient,
  spec,
  printsEvents: true,
  construct: (given, config) => construct(Cerebras, { ...given, warmTCPConnection: false }, config)
})

const accessors = ClientMap.accessors(provider)

/**
 * Validates and normalises options, and fills in what is absent from the environment, through the fiber's
 * `ConfigProvider`. The result goes wherever options go and saves that work: make it once, outside of the agents. Options
 * that mean the same give the same config, and so one client.
 *
 * Nothing is built or sent. Fails with an `OptionsError` that names the option that can't be used, or that
 * `apiKey` is missing.
 *
 * @example
 * ```ts
 * import * as CerebrasClient from "clientele/CerebrasClient"
 *
 * export const config = CerebrasClient.config({
 *   timeout: "30 seconds",
 *   quota: { requestsPerMinute: 3_000, maxConcurrency: 200 },
 *   transport: { maxConnections: 64 }
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const config: (
  options?: Options | ClientConfig.ClientConfig<"cerebras">
) => Effect.Effect<ClientConfig.ClientConfig<"cerebras">, OptionsError> = accessors.config

/**
 * Leases the SDK's own client until the scope closes. All who have the same configuration share it; it is released when
 * the last lease has ended and `idleTimeToLive` of the client layer has passed (1 minute by default). Requests under way
 * keep it until their bodies have ended; a request that begins after its release fails with `PoolError` `Released`.
 *
 * Errors of its requests are the SDK's own, and interruption aborts them only through a signal of yours: prefer `use`.
 * The lease itself fails with an `OptionsError`, or with a `PoolError` (`Closed`, `Capacity`, `Construct`).
 *
 * @example
 * ```ts
 * import * as CerebrasClient from "clientele/CerebrasClient"
 * import * as Effect from "effect/Effect"
 *
 * export const models = Effect.scoped(
 *   Effect.flatMap(CerebrasClient.get(), (cerebras) => Effect.tryPromise((signal) => cerebras.models.list({ signal })))
 * )
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const get: (
  options?: Options | ClientConfig.ClientConfig<"cerebras">
) => Effect.Effect<Cerebras, ClientError, ClientMap.ClientMap | Scope.Scope> = accessors.get

/**
 * Leases the client for one call of `f`, until its promise settles. Requests keep the client until their bodies have ended,
 * so `f` may return one whose body is yet to be read.
 *
 * Interruption aborts the HTTP requests that `f` has under way, also if `f` does not pass the signal on. Unread bodies are
 * cancelled when `f` settles, unless it returned an object. Failures are `ClientError`s: a `RequestError` for a request
 * (after `maxRetries` retries, 2 by default), a `CallbackError` if `f` throws anything else.
 *
 * @example
 * ```ts
 * import * as CerebrasClient from "clientele/CerebrasClient"
 *
 * export const ask = (question: string) =>
 *   CerebrasClient.use({ timeout: "30 seconds" }, (cerebras) =>
 *     cerebras.chat.completions.create({
 *       model: "llama3.1-8b",
 *       messages: [{ role: "user", content: question }]
 *     })
 *   )
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const use: <A>(
  options: Options | ClientConfig.ClientConfig<"cerebras"> | undefined,
  f: (client: Cerebras, signal: AbortSignal) => PromiseLike<A>
) => Effect.Effect<A, ClientError, ClientMap.ClientMap> = accessors.use

/**
 * Leases the client for one streamed answer: until its last chunk, an error, or the end of the stream's consumer, which
 * aborts the request. Back-pressure reaches the provider. Chunks may be `bodyTimeout` apart (5 minutes by default).
 *
 * A stream that the provider cuts off fails with a `RequestError`; it never ends as if it were whole.
 *
 * @example
 * ```ts
 * import * as CerebrasClient from "clientele/CerebrasClient"
 *
 * export const chunks = CerebrasClient.stream(undefined, (cerebras) =>
 *   cerebras.chat.completions.create({
 *     model: "llama3.1-8b",
 *     stream: true,
 *     messages: [{ role: "user", content: "Tell me a story." }]
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const stream: <A>(
  options: Options | ClientConfig.ClientConfig<"cerebras"> | undefined,
  f: (client: Cerebras, signal: AbortSignal) => PromiseLike<AsyncIterable<A>>
) => Stream.Stream<A, ClientError, ClientMap.ClientMap> = accessors.stream

/**
 * The client as the service `CerebrasClient`, leased for as long as the layer is built. Layers with the same configuration share
 * the client. What is said of `get` holds for its requests.
 *
 * @example
 * ```ts
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as CerebrasClient from "clientele/CerebrasClient"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * export const models = Effect.flatMap(CerebrasClient.CerebrasClient, (cerebras) =>
 *   Effect.tryPromise((signal) => cerebras.models.list({ signal }))
 * ).pipe(Effect.provide(CerebrasClient.layer({ timeout: "30 seconds" }).pipe(Layer.provide(ClientLayer.layer()))))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: (
  options?: Options | ClientConfig.ClientConfig<"cerebras">
) => Layer.Layer<CerebrasClient, ClientError, ClientMap.ClientMap> = accessors.layer

/**
 * `layer` with options from `Config`, each by itself or all at once: for variables with names of your own. Options that are
 * absent come from the provider's usual variables, as with `layer`. Fails with a `ConfigError` too.
 *
 * @example
 * ```ts
 * import * as CerebrasClient from "clientele/CerebrasClient"
 * import * as Config from "effect/Config"
 * import * as Duration from "effect/Duration"
 *
 * export const search = CerebrasClient.layerConfig({
 *   apiKey: Config.redacted("SEARCH_CEREBRAS_KEY"),
 *   timeout: Config.withDefault(Config.duration("SEARCH_CEREBRAS_TIMEOUT"), Duration.seconds(30))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: (
  options: Config.Config.Wrap<Options>
) => Layer.Layer<CerebrasClient, ClientError | ConfigError, ClientMap.ClientMap> = accessors.layerConfig
