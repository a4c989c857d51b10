/** The client map: leases of clients, for a scope, for an effect, or for the callback of an agent. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as ClientConfig from "../../ClientConfig.ts"
import { type ClientError, OptionsError, PoolError } from "../../ClientError.ts"
import type { Options } from "../../ClientLayer.ts"
import type { Service } from "../../ClientMap.ts"
import * as LeaseMap from "../../LeaseMap.ts"
import type { PooledFetch, Provider } from "../../Provider.ts"
import type { AgentSource } from "../request/lateCall.ts"
import { type AgentSources, note } from "./agentSources.ts"
import { Builders } from "./builders.ts"
import { noStats } from "./emptyStats.ts"
import * as LayerOptions from "./layerOptions.ts"
import * as Leaks from "./leakWarnings.ts"
import { statsOf } from "./mapStats.ts"
import { boundsOf } from "./startBounds.ts"
import { type Config, type Held, make as makeResources, placeOf, type Resources } from "./resources.ts"

type Settings = LayerOptions.ClientMapSettings

/** Maps what the lease maps refuse; what came from below or from the caller stays as it is. */
const refused =
  (config: Config, options: Settings) =>
  <E>(error: E | LeaseMap.LeaseError): E | PoolError => {
    if (!(error instanceof LeaseMap.LeaseError)) return error
    const detail =
      error.reason === "Closed"
        ? "the client layer is closed and leases no more clients"
        : `all ${options.maxClients} clients that maxClients allows are in use, and none went idle within ` +
          `${options.acquireTimeout} ms. Raise maxClients or acquireTimeout`
    return new PoolError({ ...placeOf(config), reason: error.reason, detail, cause: error })
  }

export const make = (options: Options): Effect.Effect<Service, never, Scope.Scope> => {
  const settings = LayerOptions.read(options)
  return settings instanceof OptionsError ? Effect.succeed(broken(settings)) : open(settings)
}

const open = (options: Settings): Effect.Effect<Service, never, Scope.Scope> => {
  const builders = new Builders()
  const build = (config: Config, deps: Parameters<Builders["build"]>[1]) => builders.build(config, deps)
  return Effect.map(makeResources(options, build), (resources) =>
    note(serviceOf(options, resources, builders), agentSourcesOf(options, resources, builders))
  )
}

const serviceOf = (options: Settings, resources: Resources, builders: Builders): Service => {
  const { clients } = resources
  const { leakWarning } = options
  const invalidate = (config: Config) => LeaseMap.invalidate(clients, config)
  return {
    get: <I, Client, P extends string, Extra extends string>(
      provider: Provider<I, Client, P, Extra>,
      config: ClientConfig.ClientConfig<P>
    ) => {
      const before = builders.note(provider, config, invalidate)
      const client = clients.getWith(config, (exit) =>
        Exit.mapBoth(exit, { onFailure: refused(config, options), onSuccess: ({ client }) => client as Client })
      )
      const watched = leakWarning === undefined ? client : Effect.zipLeft(client, Leaks.watch(config, leakWarning))
      return before === undefined ? watched : Effect.zipRight(before, watched)
    },
    use: <I, Client, P extends string, Extra extends string, A, E, R>(
      provider: Provider<I, Client, P, Extra>,
      config: ClientConfig.ClientConfig<P>,
      f: (client: Client) => Effect.Effect<A, E, R>
    ) => {
      const before = builders.note(provider, config, invalidate)
      const run = ({ client }: Held) => f(client as Client)
      const watched = leakWarning === undefined ? run : Leaks.watching(config, leakWarning, run)
      const used = Effect.mapError(LeaseMap.use(clients, config, watched), refused(config, options))
      return before === undefined ? used : Effect.zipRight(before, used)
    },
    pooledFetch: <I, Client, P extends string, Extra extends string>(
      provider: Provider<I, Client, P, Extra>,
      config: ClientConfig.ClientConfig<P>
    ) => {
      builders.noteOutlet(provider, config)
      const fetch = Effect.flatMap(LeaseMap.get(clients, config), ({ fetch }) => fetch)
      return Effect.mapError(fetch, refused(config, options))
    },
    useOutlet: <I, Client, P extends string, Extra extends string, A, E, R>(
      provider: Provider<I, Client, P, Extra>,
      config: ClientConfig.ClientConfig<P>,
      f: (fetch: PooledFetch) => Effect.Effect<A, E, R>
    ) => {
      builders.noteOutlet(provider, config)
      const used = LeaseMap.use(clients, config, ({ fetch }) => Effect.flatMap(fetch, f))
      return Effect.mapError(used, refused(config, options))
    },
    invalidate,
    stats: statsOf(resources)
  }
}

/** One source for each config. */
const agentSourcesOf = (options: Settings, resources: Resources, builders: Builders): AgentSources => {
  const { clients, ticker } = resources
  const { leakWarning } = options
  const invalidate = (config: Config) => LeaseMap.invalidate(clients, config)
  const sources = new WeakMap<Config, AgentSource>()
  const sourceOf = (config: Config): AgentSource => {
    let source = sources.get(config)
    if (source === undefined) sources.set(config, (source = makeSource(config)))
    return source
  }
  const makeSource = (config: Config): AgentSource => ({
    place: placeOf(config),
    lease: () => clients.lease(config),
    refused: refused(config, options) as (error: unknown) => ClientError,
    bounds: boundsOf(config),
    queueTimeout: config.queueTimeout,
    deadline: config.deadline,
    ticker
  })
  return {
    use: (provider, config, f) => {
      const before = builders.note(provider, config, invalidate)
      const used = f(sourceOf(config))
      const watched = leakWarning === undefined ? used : Leaks.watched(config, leakWarning, used)
      return before === undefined ? watched : Effect.zipRight(before, watched)
    },
    hold: (provider, config, finalizers, f) => {
      const before = builders.note(provider, config, invalidate)
      const got = f(sourceOf(config))
      const watched =
        leakWarning === undefined ? got : Effect.zipLeft(got, finalizers.extend(Leaks.watch(config, leakWarning)))
      return before === undefined ? watched : Effect.zipRight(before, watched)
    },
    outlet: (provider, config) => {
      builders.noteOutlet(provider, config)
      return sourceOf(config)
    }
  }
}

/** Bad layer options must not be defects, and a layer can't fail; so each lease says what is wrong. */
const broken = (error: OptionsError): Service => ({
  get: () => Effect.fail(error),
  use: () => Effect.fail(error),
  pooledFetch: () => Effect.fail(error),
  useOutlet: () => Effect.fail(error),
  invalidate: () => Effect.void,
  stats: Effect.succeed(noStats)
})
