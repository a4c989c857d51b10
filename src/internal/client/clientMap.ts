/** The client map: three lease maps, of clients over transports and quotas. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as ClientConfig from "../../ClientConfig.ts"
import { OptionsError, PoolError } from "../../ClientError.ts"
import type { Options } from "../../ClientLayer.ts"
import type { ClientStats, QuotaStats, Service } from "../../ClientMap.ts"
import * as LeaseMap from "../../LeaseMap.ts"
import type { Deps, PooledFetch, Provider } from "../../Provider.ts"
import * as Quota from "../../Quota.ts"
import type * as Transport from "../../Transport.ts"
import * as Destination from "./allowHost.ts"
import * as LayerOptions from "./layerOptions.ts"
import * as Leaks from "./leakWarnings.ts"
import { lend, type Lent } from "./lend.ts"
import * as LeaseLog from "./leaseLog.ts"
import * as QuotaDigest from "../quota/digest.ts"
import * as Ticker from "../util/ticker.ts"
import { noStats } from "./emptyStats.ts"
import { Exported } from "../otel/exported.ts"
import * as Unclassified from "../telemetry/unclassified.ts"
import { layerSockets } from "../transport/processSockets.ts"
import { TransportMaker } from "./transportFactory.ts"

/** Resources held for a config. */
interface Held extends Lent {
  /** Number of its requests under way. */
  readonly requests: () => number
  readonly transport: Transport.Transport
  readonly quotas: ReadonlyArray<Quota.Quota>
}

/** The provider of a config's client, and how to build it. */
interface Builder {
  readonly provider: unknown
  readonly build: (deps: Deps) => Effect.Effect<Lent, PoolError, Scope.Scope>
}

type Config = ClientConfig.ClientConfig

/**
 * A quota that holds anybody back outlives its last client by the time in which any budget of a minute fills up again.
 * Others go with it: of ten thousand tenants who came once, nothing is to be remembered.
 */
const QUOTA_IDLE_MS = 60_000

const placeOf = ({ baseURL, provider }: Config) => ({ provider, baseURL })

/** Maps what the lease maps refuse; what came from below or from the caller stays as it is. */
const refused =
  (config: Config, options: LayerOptions.ClientMapSettings) =>
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

const open = (options: LayerOptions.ClientMapSettings): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { budget } = yield* Effect.acquireRelease(
      Effect.sync(() => layerSockets(options.maxSockets)),
      ({ close }) => Effect.sync(close)
    )
    const { allowAddress, drainTimeout, leakWarning } = options
    const exposed = Destination.exposure()
    const makeTransport = yield* TransportMaker
    const store = yield* Quota.Store
    const clock = yield* Effect.clock
    const ticker = yield* Ticker.current
    const unclassified = yield* Unclassified.make
    const isExported = yield* Exported
    // Finalizers run in reverse: clients are refused first, then what they stood on is drained.
    const transports = yield* LeaseMap.make({
      name: "transports",
      lookup: (key: ClientConfig.TransportKey) =>
        Effect.zipRight(
          exposed(key.origin),
          Effect.provideService(
            makeTransport(key, { budget, drainTimeout, ticker, allowAddress }),
            Exported,
            isExported
          )
        ),
      idleTimeToLive: 0,
      // Sockets are drained for this long and then destroyed, which takes its own moment.
      drainTimeout: drainTimeout + 1_000
    })
    const quotas = yield* LeaseMap.make({
      name: "quotas",
      lookup: (key: ClientConfig.CredentialKey) =>
        Quota.make(`${key.provider} (${key.baseURL})`, QuotaDigest.digest(key)).pipe(
          Effect.provideService(Quota.Store, store),
          Effect.withClock(clock)
        ),
      idleTimeToLive: QUOTA_IDLE_MS,
      worthKeeping: (quota) => !quota.isRested()
    })
    const builders = new WeakMap<Config, Builder>()
    /** Configs of which nobody has asked for a client yet. */
    const outletsOnly = new WeakSet<Config>()
    let closed = false
    const clients = yield* LeaseMap.make({
      name: "clients",
      lookup: (config: Config, lease) =>
        Effect.gen(function* () {
          const elsewhere = Destination.refusal(config, options.allowHost)
          if (elsewhere !== undefined) return yield* elsewhere
          const transport = yield* LeaseMap.get(transports, ClientConfig.transportKey(config))
          const held = yield* Effect.forEach(ClientConfig.credentialKeys(config), (key) => LeaseMap.get(quotas, key))
          let requests = 0
          const lent = yield* builders.get(config)!.build({
            transport,
            quotas: held,
            lease,
            isClosed: () => closed,
            countRequests: (change) => {
              requests += change
            },
            noteUnclassified: (seen) => unclassified.note(placeOf(config), seen)
          })
          return { ...lent, requests: () => requests, transport, quotas: held } satisfies Held
        }),
      idleTimeToLive: options.idleTimeToLive,
      capacity: options.capacity,
      maxEntries: options.maxClients,
      acquireTimeout: options.acquireTimeout,
      // A client that goes waits for its transport, which has a bound of its own.
      drainTimeout: drainTimeout + 2_000,
      onEvent: yield* LeaseLog.make
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
      })
    )

    const note = <I, Client, P extends string, Extra extends string>(
      provider: Provider<I, Client, P, Extra>,
      config: ClientConfig.ClientConfig<P>
    ): void => {
      builders.set(config, { provider, build: (deps) => lend(provider, config, deps) })
    }

    /**
     * Notes a config that is used through its pooled fetch: callers with an SDK object of their own, or none, need no client,
     * and so none of a certain provider.
     */
    const noteOutlet = <I, Client, P extends string, Extra extends string>(
      provider: Provider<I, Client, P, Extra>,
      config: ClientConfig.ClientConfig<P>
    ): void => {
      if (builders.has(config)) return
      note(provider, config)
      outletsOnly.add(config)
    }

    /**
     * Notes how to build the client of a config, should it have to be built. The result is to be run before, if there
     * is one.
     */
    const builder = <I, Client, P extends string, Extra extends string>(
      provider: Provider<I, Client, P, Extra>,
      config: ClientConfig.ClientConfig<P>
    ): Effect.Effect<void, OptionsError> | undefined => {
      const known = builders.get(config)
      if (known?.provider === provider) {
        outletsOnly.delete(config)
        return undefined
      }
      if (known === undefined || outletsOnly.delete(config)) {
        note(provider, config)
        // An entry that was built for the pooled fetch alone has no such client.
        return known === undefined ? undefined : LeaseMap.invalidate(clients, config)
      }
      return new OptionsError({
        provider: provider.id,
        field: "spec.id",
        received: "the id of another provider that is in use",
        expected: "one provider for each id, made once"
      })
    }

    const service: Service = {
      get: <I, Client, P extends string, Extra extends string>(
        provider: Provider<I, Client, P, Extra>,
        config: ClientConfig.ClientConfig<P>
      ) => {
        const before = builder(provider, config)
        const held = Effect.mapError(LeaseMap.get(clients, config), refused(config, options))
        const client = Effect.map(held, ({ client }) => client as Client)
        const watched = leakWarning === undefined ? client : Effect.zipLeft(client, Leaks.watch(config, leakWarning))
        return before === undefined ? watched : Effect.zipRight(before, watched)
      },
      use: <I, Client, P extends string, Extra extends string, A, E, R>(
        provider: Provider<I, Client, P, Extra>,
        config: ClientConfig.ClientConfig<P>,
        f: (client: Client) => Effect.Effect<A, E, R>
      ) => {
        const before = builder(provider, config)
        const run = ({ client }: Held) => f(client as Client)
        const watched = leakWarning === undefined ? run : Leaks.watching(config, leakWarning, run)
        const used = Effect.mapError(LeaseMap.use(clients, config, watched), refused(config, options))
        return before === undefined ? used : Effect.zipRight(before, used)
      },
      pooledFetch: <I, Client, P extends string, Extra extends string>(
        provider: Provider<I, Client, P, Extra>,
        config: ClientConfig.ClientConfig<P>
      ) => {
        noteOutlet(provider, config)
        const fetch = Effect.flatMap(LeaseMap.get(clients, config), ({ fetch }) => fetch)
        return Effect.mapError(fetch, refused(config, options))
      },
      useOutlet: <I, Client, P extends string, Extra extends string, A, E, R>(
        provider: Provider<I, Client, P, Extra>,
        config: ClientConfig.ClientConfig<P>,
        f: (fetch: PooledFetch) => Effect.Effect<A, E, R>
      ) => {
        noteOutlet(provider, config)
        return Effect.mapError(
          LeaseMap.use(clients, config, ({ fetch }) => Effect.flatMap(fetch, f)),
          refused(config, options)
        )
      },
      invalidate: (config) => LeaseMap.invalidate(clients, config),
      stats: Effect.gen(function* () {
        const { entries, ...counts } = yield* LeaseMap.stats(clients)
        const pools = yield* LeaseMap.stats(transports)
        const budgets = yield* LeaseMap.stats(quotas)
        return {
          ...counts,
          sockets: pools.entries.reduce((sum, { value }) => sum + (value?.stats().sockets ?? 0), 0),
          unclassified: unclassified.count(),
          clients: entries.flatMap((entry) => clientStats(entry) ?? []),
          quotas: budgets.entries.flatMap(({ key, value }) => (value === undefined ? [] : quotaStats(key, value)))
        }
      })
    }
    return service
  })

const clientStats = ({ idleSince, key, leases, value }: LeaseMap.Entry<Config, Held>): ClientStats | undefined => {
  if (value === undefined) return undefined
  const { quotas, transport } = value
  const inFlight = value.requests()
  const { openCircuits, queued, sockets } = transport.stats()
  return {
    ...placeOf(key),
    fingerprint: ClientConfig.fingerprint(key),
    leases: leases - inFlight,
    inFlight,
    queued: quotas.reduce((sum, quota) => sum + quota.stats().queued, queued),
    sockets,
    openCircuits,
    idleSince
  }
}

const quotaStats = (key: ClientConfig.CredentialKey, quota: Quota.Quota): QuotaStats => ({
  provider: key.provider,
  baseURL: key.baseURL,
  credential: Redacted.isRedacted(key.credential) ? QuotaDigest.digest(key) : key.credential.id,
  ...quota.stats()
})

/** Bad layer options must not be defects, and a layer can't fail; so each lease says what is wrong. */
const broken = (error: OptionsError): Service => ({
  get: () => Effect.fail(error),
  use: () => Effect.fail(error),
  pooledFetch: () => Effect.fail(error),
  useOutlet: () => Effect.fail(error),
  invalidate: () => Effect.void,
  stats: Effect.succeed(noStats)
})
