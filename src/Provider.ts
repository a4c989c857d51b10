/**
 * Definition of a provider: how its options become a configuration, and how its SDK is constructed over clientele's
 * `fetch`. The four providers that come with the package are made with `make`, and so is one of your own, for any SDK
 * that takes a `fetch`. See `ClientMap.accessors` for the functions that go with it.
 *
 * @example
 * ```ts
 * import Anthropic from "@anthropic-ai/sdk"
 * import * as Provider from "clientele/Provider"
 * import * as Context from "effect/Context"
 *
 * class AnthropicClient extends Context.Tag("my-app/AnthropicClient")<AnthropicClient, Anthropic>() {}
 *
 * export const provider = Provider.make({
 *   tag: AnthropicClient,
 *   spec: {
 *     id: "anthropic",
 *     baseURL: "https://api.anthropic.com",
 *     env: { apiKey: "ANTHROPIC_API_KEY", baseURL: "ANTHROPIC_BASE_URL", headers: "ANTHROPIC_CUSTOM_HEADERS" }
 *   },
 *   construct: (given) => new Anthropic({ ...given, authToken: null })
 * })
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as ClientConfig from "./ClientConfig.ts"
import type { OptionsError, PoolError } from "./ClientError.ts"
import * as internal from "./internal/client/buildClient.ts"
import { derive } from "./internal/client/derivedLayers.ts"
import type { PooledFetch } from "./internal/request/pooledFetch.ts"
import type { SdkLogger } from "./internal/sdk/sdkLog.ts"
import type { Handle } from "./LeaseMap.ts"
import type { Quota } from "./Quota.ts"
import type { Transport } from "./Transport.ts"

export type { PooledFetch } from "./internal/request/pooledFetch.ts"

/**
 * Options that a client must be constructed with, in the names that SDKs made by Stainless take.
 *
 * @since 0.1.0
 * @category models
 */
export interface Given {
  readonly baseURL: string
  /** A placeholder: `fetch` puts the secret in its place in whatever header it stands. The SDK never sees the secret. */
  readonly apiKey: string
  /** Lease, quota, retries and pooled connections. The client must send everything through it. */
  readonly fetch: typeof globalThis.fetch
  /** Never, in milliseconds: the transport keeps the configured timeouts, from a request's turn, where an SDK would count queueing. */
  readonly timeout: number
  /** None: `fetch` retries, for all providers alike. */
  readonly maxRetries: 0
  /**
   * The names of the configured headers, each with a placeholder that `fetch` replaces by the value, which the SDK might
   * print. `null` keeps out a header that the SDK would read from the process's environment by itself.
   */
  readonly defaultHeaders: Record<string, string | null>
  readonly defaultQuery: Record<string, string>
  /**
   * Sends the SDK's own messages to the logger of the client layer: without secrets, a line each, and errors, which the
   * call's failure reports anyway, at debug level. Without it SDKs print to the console.
   */
  readonly logger: Logger
}

/**
 * The `logger` option of SDKs made by Stainless.
 *
 * @since 0.1.0
 * @category models
 */
export type Logger = SdkLogger

/**
 * Definition of a provider, for `make`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Definition<in out I, in out Client, P extends string, Extra extends string> {
  /** The service under which `layer` provides the client. */
  readonly tag: Context.Tag<I, Client>
  readonly spec: ClientConfig.Spec<P, Extra>
  /**
   * Makes the SDK's client. Synchronous, and once for each distinct configuration. What it throws is a `PoolError` of
   * reason `Construct`.
   */
  readonly construct: (given: Given, config: ClientConfig.ClientConfig<P>) => Client
  /**
   * The header of a secret, for providers that take several kinds of them. It is asked for each request, with the name
   * of the header in which the SDK put the placeholder; the name that it gives is in lower case. What it is given must
   * not be kept.
   *
   * @default where the SDK put it, as the SDK wrote it
   */
  readonly authorize?: ((name: string, secret: string) => readonly [name: string, value: string]) | undefined
  /**
   * True if the SDK prints stream events of invalid JSON, past its `logger`. Each event is then checked first, and an
   * invalid one fails the stream with a `RequestError` `Malformed` before the SDK reads it.
   *
   * @default false
   */
  readonly printsEvents?: boolean | undefined
}

/**
 * Shared resources that a client is built on. The client map makes them, one object for each client that it builds; they
 * last as long as the scope of `build`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Deps {
  /** The bounded pool of connections to the config's origin, shared by all clients with the same transport settings. */
  readonly transport: Transport
  /** The budget of each of the config's credentials, in their order; shared by all clients of that credential. */
  readonly quotas: ReadonlyArray<Quota>
  /** The client's own lease, which each request retains until its body has ended. */
  readonly lease: Pick<Handle, "retain" | "join" | "release">
  /** True once the client layer has been closed: requests then fail with `PoolError` `Closed` rather than `Released`. */
  readonly isClosed: () => boolean
  /** Called with 1 when a request begins and with -1 when its body has ended, for `ClientMap.stats`. */
  readonly countRequests: (change: 1 | -1) => void
  /** Called with each status, error code or HTTP/2 code that is not known. */
  readonly noteUnclassified: (seen: { readonly kind: "status" | "error" | "http2"; readonly value: string }) => void
}

/**
 * The service from which a provider's `layer` takes its `Deps`.
 *
 * @since 0.1.0
 * @category tags
 */
export class BuildContext extends Context.Tag("clientele/Provider/BuildContext")<BuildContext, Deps>() {}

/**
 * A client, and the `fetch` that it sends through.
 *
 * @since 0.1.0
 * @category models
 */
export interface Built<out Client> {
  readonly client: Client
  readonly fetch: PooledFetch
}

/**
 * A provider as the client map uses it. It holds no client and no connection by itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Provider<in out I, in out Client, P extends string = string, Extra extends string = never> {
  readonly id: P
  readonly tag: Context.Tag<I, Client>
  /** Validates, fills in from the environment, normalises. A config is returned as it is. */
  readonly config: (
    options?: ClientConfig.Options<Extra> | ClientConfig.ClientConfig<P>
  ) => Effect.Effect<ClientConfig.ClientConfig<P>, OptionsError>
  /**
   * Builds a client, anew each time: the client map is what shares it. What was built ends with the scope, after which
   * requests fail with `PoolError` `Released` or `Closed`. Fails with `PoolError` `Construct` if the SDK's constructor throws.
   */
  readonly build: (
    config: ClientConfig.ClientConfig<P>,
    deps: Deps
  ) => Effect.Effect<Built<Client>, PoolError, Scope.Scope>
  /**
   * The client of `build` as a layer. A provider that was given another one, as `{ ...provider, layer }`, lends the client
   * of that. `ClientMap.accessors` has the layer of a shared client.
   */
  readonly layer: (config: ClientConfig.ClientConfig<P>) => Layer.Layer<I, PoolError, BuildContext>
}

/**
 * A provider from its definition. Make it once, at the top of a module, and hand it to `ClientMap.accessors`. Nothing is
 * built or validated yet: a `spec` that can't be used is an `OptionsError` of the first lease.
 *
 * To change what is lent, spread the provider and wrap its `build`, and use the result in place of the original: one
 * client layer refuses two providers of one id the same configuration, with an `OptionsError`.
 *
 * @example
 * ```ts
 * import * as ClientMap from "clientele/ClientMap"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as Effect from "effect/Effect"
 * import type { Groq } from "groq-sdk"
 *
 * declare const traced: (client: Groq) => Groq
 *
 * export const { use, stream } = ClientMap.accessors({
 *   ...GroqClient.provider,
 *   build: (config, deps) =>
 *     Effect.map(GroqClient.provider.build(config, deps), ({ client, fetch }) => ({ client: traced(client), fetch }))
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I, Client, P extends string, Extra extends string = never>(
  definition: Definition<I, Client, P, Extra>
): Provider<I, Client, P, Extra> => {
  const build: Provider<I, Client, P, Extra>["build"] = (config, deps) => internal.build(definition, config, deps)
  return {
    id: definition.spec.id,
    tag: definition.tag,
    config: (options) => ClientConfig.make(definition.spec, options),
    build,
    layer: derive(build, (config) =>
      Layer.scoped(
        definition.tag,
        Effect.flatMap(BuildContext, (deps) => Effect.map(build(config, deps), ({ client }) => client))
      )
    )
  }
}
