/** Resources of a client map: three lease maps, of clients over transports and quotas. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ClientConfig from "../../ClientConfig.ts"
import type { OptionsError, PoolError } from "../../ClientError.ts"
import * as LeaseMap from "../../LeaseMap.ts"
import type { Deps } from "../../Provider.ts"
import * as Quota from "../../Quota.ts"
import type * as Transport from "../../Transport.ts"
import * as Leases from "../lease/map.ts"
import { Exported } from "../otel/exported.ts"
import * as QuotaDigest from "../quota/digest.ts"
import type { Lendable } from "../request/lateCall.ts"
import { closed } from "../request/errors/unsent.ts"
import { startQueueOf } from "../request/startQueue.ts"
import * as Unclassified from "../telemetry/unclassified.ts"
import { layerSockets } from "../transport/processSockets.ts"
import * as Ticker from "../util/ticker.ts"
import * as Destination from "./allowHost.ts"
import type { ClientMapSettings } from "./layerOptions.ts"
import * as LeaseLog from "./leaseLog.ts"
import type { Lent } from "./lend.ts"
import { TransportMaker } from "./transportFactory.ts"

export type Config = ClientConfig.ClientConfig

/** Resources held for a config. */
export interface Held extends Lent, Lendable {
  /** Number of its requests under way. */
  readonly requests: () => number
  readonly transport: Transport.Transport
  readonly quotas: ReadonlyArray<Quota.Quota>
}

/** Builds the client of a config. */
export type Build = (config: Config, deps: Deps) => Effect.Effect<Lent, PoolError, Scope.Scope>

type Clients = Leases.LeaseSource<Config, Held, PoolError | OptionsError | LeaseMap.LeaseError>
type Transports = LeaseMap.LeaseMap<ClientConfig.TransportKey, Transport.Transport>
type Quotas = LeaseMap.LeaseMap<ClientConfig.CredentialKey, Quota.Quota>

export interface Resources {
  readonly clients: Clients
  readonly transports: Transports
  readonly quotas: Quotas
  readonly unclassified: Unclassified.Unclassified
  readonly ticker: Ticker.Ticker
}

/**
 * A quota that holds anybody back outlives its last client by the time in which any budget of a minute fills up again.
 * Others go with it: of ten thousand tenants who came once, nothing is to be remembered.
 */
const QUOTA_IDLE_MS = 60_000

export const placeOf = ({ baseURL, provider }: Config) => ({ provider, baseURL })

const makeTransports = ({ allowAddress, drainTimeout, maxSockets }: ClientMapSettings) =>
  Effect.gen(function* () {
    const { budget } = yield* Effect.acquireRelease(
      Effect.sync(() => layerSockets(maxSockets)),
      ({ close }) => Effect.sync(close)
    )
    const exposed = Destination.exposure()
    const makeTransport = yield* TransportMaker
    const ticker = yield* Ticker.current
    const isExported = yield* Exported
    return yield* LeaseMap.make({
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
  })

const makeQuotas = Effect.gen(function* () {
  const store = yield* Quota.Store
  const clock = yield* Effect.clock
  return yield* LeaseMap.make({
    name: "quotas",
    lookup: (key: ClientConfig.CredentialKey) =>
      Quota.make(`${key.provider} (${key.baseURL})`, QuotaDigest.digest(key)).pipe(
        Effect.provideService(Quota.Store, store),
        Effect.withClock(clock)
      ),
    idleTimeToLive: QUOTA_IDLE_MS,
    worthKeeping: (quota) => !quota.isRested()
  })
})

/** Closes with the scope: clients are refused first, then what they stood on is drained. */
export const make = (options: ClientMapSettings, build: Build): Effect.Effect<Resources, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ticker = yield* Ticker.current
    const unclassified = yield* Unclassified.make
    const transports = yield* makeTransports(options)
    const quotas = yield* makeQuotas
    let isClosed = false
    const lookup = (config: Config, lease: LeaseMap.Handle) =>
      Effect.gen(function* () {
        const elsewhere = Destination.refusal(config, options.allowHost)
        if (elsewhere !== undefined) return yield* elsewhere
        const transport = yield* LeaseMap.get(transports, ClientConfig.transportKey(config))
        const held = yield* Effect.forEach(ClientConfig.credentialKeys(config), (key) => LeaseMap.get(quotas, key))
        let requests = 0
        const lent = yield* build(config, {
          transport,
          quotas: held,
          lease,
          isClosed: () => isClosed,
          countRequests: (change) => {
            requests += change
          },
          noteUnclassified: (seen) => unclassified.note(placeOf(config), seen)
        })
        const starts = startQueueOf(transport.pool, held[0] ?? transport, ticker)
        yield* Effect.addFinalizer(() => Effect.sync(() => starts.close(lease, closed(placeOf(config)))))
        return { ...lent, starts, owner: lease, requests: () => requests, transport, quotas: held } satisfies Held
      })
    const clients = yield* Leases.make(
      {
        name: "clients",
        lookup,
        idleTimeToLive: options.idleTimeToLive,
        capacity: options.capacity,
        maxEntries: options.maxClients,
        acquireTimeout: options.acquireTimeout,
        // A client that goes waits for its transport, which has a bound of its own.
        drainTimeout: options.drainTimeout + 2_000,
        onEvent: yield* LeaseLog.make
      },
      (reason, map) => new LeaseMap.LeaseError({ reason, map })
    )
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
      })
    )
    return { clients, transports, quotas, unclassified, ticker }
  })
