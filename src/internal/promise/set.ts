/**
 * A set of clients for code without Effect: a client map, one `fetch` for each config, and one SDK object for
 * equivalent options. Nothing of it has a scope: leases are taken by requests, and objects live while they are
 * referenced.
 */
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Effect from "effect/Effect"
import type { ClientConfig } from "../../ClientConfig.ts"
import { OptionsError, PoolError } from "../../ClientError.ts"
import type * as ClientLayer from "../../ClientLayer.ts"
import type { ClientMap, Service, Stats } from "../../ClientMap.ts"
import type { Clients } from "../../Promise.ts"
import type { Provider } from "../../Provider.ts"
import * as Destination from "../client/allowHost.ts"
import * as LayerOptions from "../client/layerOptions.ts"
import { noStats as nothing } from "../client/emptyStats.ts"
import * as Exit from "./gracefulExit.ts"
import * as Host from "./runtimeHost.ts"
import * as Leasing from "../client/leasedFetch.ts"
import * as Objects from "./objects.ts"

export type { Clients } from "../../Promise.ts"

type Fetch = typeof globalThis.fetch

export interface ClientSet {
  /** One fetch for a config: takes a lease for each request, and holds none between them. Same config, same function. */
  readonly fetchOf: <I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>
  ) => Fetch
  /** The same for callers that can wait before they write their requests. */
  readonly leasedFetchOf: <I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>
  ) => Leasing.LeasedFetch
  /**
   * The object of these options, made if there is none. `kind` is the sort of object, compared by identity: the SDK's
   * class, or a name. `raw` is a cheap key of the options as given, and `undefined` if they have none; it must cover all
   * that `wanted` would read. Errors of `wanted` or its `make` are thrown, and nothing is kept.
   */
  readonly object: <A extends object>(kind: unknown, raw: string | undefined, wanted: () => Objects.Wanted<A>) => A
  /** Its client map, for Effects that are run beside it. Throws a PoolError once the set is closed. */
  readonly service: () => Service | Promise<Service>
  /** Invalidates the client of an object that `object` returned; without one, those of all that are not collected. */
  readonly invalidate: (of?: object) => Promise<void>
  readonly stats: () => Promise<SetStats>
  /** True if `allowHost` or `allowAddress` is set; neither applies to an SDK object with a fetch of its own. */
  readonly isGuarded: boolean
  readonly close: () => Promise<void>
}

export interface SetStats extends Stats {
  /** SDK objects that are held for the next getter; those beyond them are held by their users alone. */
  readonly objects: number
}

export type Options = ClientLayer.Options | { readonly runtime: ManagedRuntime.ManagedRuntime<ClientMap, unknown> }

export const noStats: SetStats = { ...nothing, objects: 0 }

const read = (options: ClientLayer.Options): LayerOptions.ClientMapSettings => {
  const settings = LayerOptions.read(options)
  if (settings instanceof OptionsError) throw settings
  return settings
}

const statsOf = (host: Host.Host): Promise<Stats> => {
  const service = host.peek()
  return service === undefined ? Promise.resolve(nothing) : Effect.runPromise(service.stats)
}

const invalidateIn = async (host: Host.Host, configs: Iterable<ClientConfig>): Promise<void> => {
  const service = host.peek()
  if (service === undefined) return
  await Effect.runPromise(Effect.forEach(configs, service.invalidate, { concurrency: "unbounded", discard: true }))
}

interface Parts {
  readonly host: Host.Host
  readonly objects: Objects.Objects
  readonly gate: Leasing.Gate
  readonly drainTimeout: number
}

/** Ends a set with its process. */
const endingOf = ({ drainTimeout, gate, host, objects }: Parts): Exit.Drainable => ({
  inFlight: async () => (await statsOf(host)).clients.reduce((sum, { inFlight }) => sum + inFlight, 0),
  park: (on) => {
    if (gate.shut !== "closed") gate.shut = on ? "parked" : undefined
  },
  rest: () => invalidateIn(host, objects.configs()),
  drainTimeout
})

const configIn = (objects: Objects.Objects, of: object): ClientConfig => {
  const config = objects.configOf(of)
  if (config !== undefined) return config
  throw new OptionsError({
    provider: "clientele",
    field: "client",
    received: "neither a client nor a fetch of this set",
    expected: "a client or a fetch of this set"
  })
}

/** Throws an OptionsError. `onClose` is called once, as the set begins to close. */
export const make = (options: Options = {}, onClose?: () => void): ClientSet => {
  const settings = read("runtime" in options ? {} : options)
  const gate: Leasing.Gate & { ending?: Exit.Drainable } = { shut: undefined }
  // A user's runtime ends when the user closes it.
  const host = "runtime" in options ? Host.shared(options.runtime) : Host.own(options, () => Exit.attachWeakly(ending))
  const objects = Objects.make(settings.capacity, settings.idleTimeToLive)
  const ending = endingOf({ host, objects, gate, drainTimeout: settings.drainTimeout })
  // The process has `ending` weakly; here it is held for as long as a request can be sent.
  gate.ending = ending
  const fetches = new WeakMap<ClientConfig, Leasing.LeasedFetch>()
  const leasedFetchOf: ClientSet["leasedFetchOf"] = (provider, config) => {
    let fetch = fetches.get(config)
    if (fetch === undefined) {
      const elsewhere = Destination.refusal(config, settings.allowHost)
      if (elsewhere !== undefined) throw elsewhere
      fetch = Leasing.make(host, gate, provider, config)
      fetches.set(config, fetch)
    }
    return fetch
  }
  let closing: Promise<void> | undefined
  return {
    leasedFetchOf,
    fetchOf: (provider, config) => leasedFetchOf(provider, config).fetch,
    object: (kind, raw, wanted) => {
      if (gate.shut === "closed") throw Leasing.closed(wanted().config)
      return objects.get(kind, raw, wanted)
    },
    invalidate: async (of) => invalidateIn(host, of === undefined ? objects.configs() : [configIn(objects, of)]),
    stats: async () => ({ ...(await statsOf(host)), objects: objects.counts().held }),
    service: () => {
      if (gate.shut !== "closed") return host.service()
      throw new PoolError({
        reason: "Closed",
        provider: "clientele",
        baseURL: "",
        detail: "this set of clients is closed"
      })
    },
    isGuarded: settings.allowHost !== undefined || settings.allowAddress !== undefined,
    close: () => {
      if (closing === undefined) {
        gate.shut = "closed"
        objects.clear()
        onClose?.()
        closing = host.close()
      }
      return closing
    }
  }
}

let current: ClientSet | undefined

/** The process's own, or that of a worker: made when it is asked for first, and anew once it has been closed. */
export const defaultSet = (): ClientSet =>
  (current ??= make({}, () => {
    current = undefined
  }))

/** The default set if it exists; makes none. */
export const peekDefault = (): ClientSet | undefined => current

const sets = new WeakMap<Clients, ClientSet>()

export const register = <A extends Clients>(clients: A, set: ClientSet): A => {
  sets.set(clients, set)
  return clients
}

/** The set behind what a caller has been given, or the default one. Throws an OptionsError. */
export const setOf = (clients: Clients | undefined): ClientSet => {
  if (clients === undefined) return defaultSet()
  const set = sets.get(clients)
  if (set !== undefined) return set
  throw new OptionsError({
    provider: "clientele",
    field: "clients",
    received: "a value that makeClients did not return",
    expected: "the result of makeClients, of this copy of the package"
  })
}
