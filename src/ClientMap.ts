/**
 * The service that lends clients. One client is built for each distinct configuration, shared by all who hold it, and
 * released when nobody has held it for the idle time: a lease is a scope, and each request holds its client until its
 * body has ended, so a client is never closed under its user.
 *
 * Agents do not call this module; they use the functions of a provider (`GroqClient.use`, ...), which `accessors` makes.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as ClientConfig from "./ClientConfig.ts"
import type { ClientError, OptionsError, PoolError } from "./ClientError.ts"
import { agentSourcesOf } from "./internal/client/agentSources.ts"
import { ClientMap } from "./internal/client/clientMapTag.ts"
import * as agentCall from "./internal/request/agentCall.ts"
import * as call from "./internal/request/call.ts"
import * as callStream from "./internal/request/callStream.ts"
import type { PooledFetch, Provider } from "./Provider.ts"
import type * as Quota from "./Quota.ts"

/**
 * One client that is held, or that waits out its idle time.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientStats {
  readonly provider: string
  readonly baseURL: string
  /** Tells configurations apart without saying what is in them. Differs from process to process. */
  readonly fingerprint: string
  /** Scopes that hold it. */
  readonly leases: number
  /** Its requests under way, bodies included; also those that wait for quota or for a socket. */
  readonly inFlight: number
  /**
   * Requests that wait for this client's quota or transport, which it may share with other clients, and agents that are
   * started when their turn has come.
   */
  readonly queued: number
  /** Sockets of its transport, which it may share with other clients. */
  readonly sockets: number
  /** Circuits of its transport that are open: requests for all, or for certain models or paths, are held back. */
  readonly openCircuits: number
  /** Milliseconds since the epoch; `undefined` while it is held or has requests under way. */
  readonly idleSince: number | undefined
}

/**
 * One credential's budget, which all clients of that credential share.
 *
 * @since 0.1.0
 * @category models
 */
export interface QuotaStats extends Quota.Stats {
  readonly provider: string
  readonly baseURL: string
  /** The id of a `Credential`, else some digits that tell keys apart and from which no key can be had. */
  readonly credential: string
}

/**
 * Counts since the layer was built, and the clients of this moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  readonly hits: number
  readonly misses: number
  readonly built: number
  readonly released: number
  readonly evicted: number
  readonly failed: number
  /** Leases that wait at `maxClients` now. */
  readonly waiting: number
  /** Sockets of all transports now. */
  readonly sockets: number
  /** Statuses, error codes and codes of HTTP/2 that came and are not known; each kind has been logged once. */
  readonly unclassified: number
  readonly clients: ReadonlyArray<ClientStats>
  /** The budgets, by credential and model: who waits, what is left, and who is closed until when. */
  readonly quotas: ReadonlyArray<QuotaStats>
}

/**
 * The map itself, as `accessors` uses it. It ends with the layer that it came from: see `ClientLayer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Leases the client of a config until the scope closes, and builds it if there is none. */
  readonly get: <I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig.ClientConfig<P>
  ) => Effect.Effect<Client, OptionsError | PoolError, Scope.Scope>
  /** The same for as long as `f` runs. */
  readonly use: <I, Client, P extends string, Extra extends string, A, E, R>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig.ClientConfig<P>,
    f: (client: Client) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | OptionsError | PoolError, R>
  /** The `fetch` of the client of a config, until the scope closes: for those who bring an SDK object of their own. */
  readonly pooledFetch: <I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig.ClientConfig<P>
  ) => Effect.Effect<PooledFetch, OptionsError | PoolError, Scope.Scope>
  /** The same for as long as `f` runs. */
  readonly useOutlet: <I, Client, P extends string, Extra extends string, A, E, R>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig.ClientConfig<P>,
    f: (outlet: PooledFetch) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | OptionsError | PoolError, R>
  readonly invalidate: (config: ClientConfig.ClientConfig) => Effect.Effect<void>
  readonly stats: Effect.Effect<Stats>
}

export { ClientMap } from "./internal/client/clientMapTag.ts"

/**
 * Makes the next lease of a config build its client anew; those who hold the old one finish on it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const invalidate = (config: ClientConfig.ClientConfig): Effect.Effect<void, never, ClientMap> =>
  Effect.flatMap(ClientMap, (map) => map.invalidate(config))

/**
 * The counts and clients of this moment, without a secret in them. Takes time in proportion to the clients that are held.
 *
 * @example
 * ```ts
 * import * as ClientMap from "clientele/ClientMap"
 * import * as Effect from "effect/Effect"
 *
 * // Every ten seconds, for as long as the app runs.
 * export const watch = Effect.forever(
 *   Effect.flatMap(ClientMap.stats, ({ built, clients, hits, sockets }) =>
 *     Effect.zipRight(Effect.log({ built, hits, sockets, clients }), Effect.sleep("10 seconds"))
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const stats: Effect.Effect<Stats, never, ClientMap> = Effect.flatMap(ClientMap, (map) => map.stats)

/**
 * The functions with which agents take a provider's clients.
 *
 * @since 0.1.0
 * @category models
 */
export interface Accessors<I, Client, P extends string, Extra extends string> {
  /**
   * Validates and normalises options and fills in what is absent from the environment. The result may be given wherever
   * options may, and saves that work: make it once, outside of the agents.
   */
  readonly config: (
    options?: ClientConfig.Options<Extra> | ClientConfig.ClientConfig<P>
  ) => Effect.Effect<ClientConfig.ClientConfig<P>, OptionsError>
  /**
   * Leases the SDK's own client until the scope closes. Kept longer, its requests fail with reason `Released`. Their
   * errors are the SDK's, and interruption does not abort them unless they are given a signal: prefer `use`.
   */
  readonly get: (
    options?: ClientConfig.Options<Extra> | ClientConfig.ClientConfig<P>
  ) => Effect.Effect<Client, ClientError, ClientMap | Scope.Scope>
  /**
   * Leases a client for one call. Interruption aborts the HTTP requests that `f` has under way, also if `f` does not pass
   * the signal on. Unread bodies are cancelled when `f` settles, unless it returned an object, which may be such a body.
   */
  readonly use: <A>(
    options: ClientConfig.Options<Extra> | ClientConfig.ClientConfig<P> | undefined,
    f: (client: Client, signal: AbortSignal) => PromiseLike<A>
  ) => Effect.Effect<A, ClientError, ClientMap>
  /**
   * Leases a client for one streamed answer: until the last chunk, an error, or the end of the stream's consumer, when
   * the request is aborted. Back-pressure reaches the provider. Its chunks are the events that came together.
   */
  readonly stream: <A>(
    options: ClientConfig.Options<Extra> | ClientConfig.ClientConfig<P> | undefined,
    f: (client: Client, signal: AbortSignal) => PromiseLike<AsyncIterable<A>>
  ) => Stream.Stream<A, ClientError, ClientMap>
  /** The client as a service, leased for as long as the layer is. */
  readonly layer: (
    options?: ClientConfig.Options<Extra> | ClientConfig.ClientConfig<P>
  ) => Layer.Layer<I, ClientError, ClientMap>
  /** `layer` with options from `Config`, each by itself or all at once. Absent ones are read as with `layer`. */
  readonly layerConfig: (
    options: Config.Config.Wrap<ClientConfig.Options<Extra>>
  ) => Layer.Layer<I, ClientError | ConfigError, ClientMap>
}

const isDone = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

/**
 * The functions of a provider's module, for a provider of your own. Make them once, at the top of a module: all who use
 * them share clients by configuration. A second provider of the same `spec.id` is refused the clients of the first, with an
 * `OptionsError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const accessors = <I, Client, P extends string, Extra extends string>(
  provider: Provider<I, Client, P, Extra>
): Accessors<I, Client, P, Extra> => {
  type Options = ClientConfig.Options<Extra> | ClientConfig.ClientConfig<P> | undefined
  /** A config that was made before takes no step of the fiber. */
  const configured = <A, R>(
    options: Options,
    run: (
      map: Service,
      config: ClientConfig.ClientConfig<P>,
      fiber: RuntimeFiber<unknown, unknown>
    ) => Effect.Effect<A, ClientError, R>
  ): Effect.Effect<A, ClientError, R | ClientMap> =>
    Effect.withFiberRuntime((fiber) => {
      const map = Context.unsafeGet(fiber.currentContext, ClientMap) as Service
      const config = provider.config(options)
      if (isDone(config) && Exit.isSuccess(config)) return run(map, config.value, fiber)
      return Effect.flatMap(config, (config) => run(map, config, fiber))
    })
  const get = (options?: Options) => configured(options, (map, config) => map.get(provider, config))
  return {
    config: provider.config,
    get,
    use: <A>(options: Options, f: (client: Client, signal: AbortSignal) => PromiseLike<A>) =>
      configured(
        options,
        (map, config, fiber) =>
          agentSourcesOf(map.use)?.use(provider, config, (source) =>
            agentCall.use(source, fiber, call.workOf<Client, A>(), f)
          ) ?? map.use(provider, config, (client) => call.promise(config, (signal) => f(client, signal)))
      ),
    stream: <A>(options: Options, f: (client: Client, signal: AbortSignal) => PromiseLike<AsyncIterable<A>>) =>
      callStream.held((finalizers) =>
        configured(
          options,
          (map, config, fiber) =>
            agentSourcesOf(map.get)?.hold(provider, config, finalizers, (source) =>
              agentCall.held(source, fiber, callStream.workOf<Client, A>(), f, finalizers)
            ) ??
            Effect.flatMap(finalizers.extend(map.get(provider, config)), (client) =>
              callStream.open(config, (signal) => f(client, signal), finalizers)
            )
        )
      ),
    layer: (options) => Layer.scoped(provider.tag, get(options)),
    layerConfig: (options) => Layer.scoped(provider.tag, Effect.flatMap(Config.unwrap(options), get))
  }
}
