/**
 * A `fetch` that may be kept for ever: each request takes a lease of its own, and between requests it holds none. While
 * the client of the last request stands, that costs one call; else another lease is taken from the client map.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { Service } from "../../ClientMap.ts"
import { PoolError } from "../../ClientError.ts"
import type { Provider } from "../../Provider.ts"
import type { AgentSource } from "../request/lateCall.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import type { StartQueue } from "../request/startQueue.ts"
import * as Site from "../sdk/callSite.ts"
import { withResponse } from "../http/withResponse.ts"
import { agentSourcesOf } from "./agentSources.ts"

type Fetch = typeof globalThis.fetch

/** Admits requests of a set, or turns them away. */
export interface Gate {
  /** Requests are rejected ("closed"), or stay pending until aborted ("parked"); `undefined` lets them begin. */
  shut: "closed" | "parked" | undefined
}

/** Gives the client map. */
export interface MapSource {
  /** A promise only while a runtime of the user's has yet to be built. */
  readonly service: () => Service | Promise<Service>
}

/** Error for requests of a set that has been closed. */
export const closed = ({ baseURL, provider }: ClientConfig): PoolError =>
  new PoolError({
    provider,
    baseURL,
    reason: "Closed",
    detail: "these clients are closed and start no more requests"
  })

/** For as long as the process lasts, which is ending, or until the caller gives up. */
const parked = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error)
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true })
  })

/** `undefined` has begun nothing. */
const run = async <A, E>(effect: Effect.Effect<A, E>, signal: AbortSignal | null | undefined): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect, signal == null ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  if (signal?.aborted === true) throw signal.reason as Error
  throw Cause.squash(exit.cause)
}

/** A fetch, and what callers that can wait before they write their requests need beside it. */
export interface LeasedFetch {
  readonly fetch: Fetch
  /** Sends while the client of the last request stands. `undefined` if a call that comes now has to wait for its turn. */
  readonly ready: () => PooledFetch["tryFetch"] | undefined
  /** Source of calls that wait for their turn; a promise as in `MapSource`. `undefined` where `fetch` is the only way. */
  readonly source: () => AgentSource | undefined | Promise<AgentSource | undefined>
  /** Receives the client of a call whose turn has come. */
  readonly note: (fetch: PooledFetch, starts: StartQueue) => void
}

/** A client that has been leased before. */
interface Outlet {
  readonly fetch: PooledFetch
  /** `undefined` until a call has come by its line. */
  readonly starts: StartQueue | undefined
}

export const make = <I, Client, P extends string, Extra extends string>(
  host: MapSource,
  gate: Gate,
  provider: Provider<I, Client, P, Extra>,
  config: ClientConfig<P>
): LeasedFetch => {
  let last: Outlet | undefined

  const lease: Fetch = async (input, init) => {
    const signal = init?.signal
    const ready = host.service()
    const service = ready instanceof Promise ? await ready : ready
    const scope = Effect.runSync(Scope.make())
    try {
      const pooledFetch = await run(Scope.extend(service.pooledFetch(provider, config), scope), signal)
      if (gate.shut !== undefined) return await turnAway(signal)
      if (last?.fetch !== pooledFetch) last = { fetch: pooledFetch, starts: undefined }
      // Back in the caller's own async context. Not awaited: once it has begun, the request holds the client by itself.
      const sent = pooledFetch.fetch(input, init)
      return sent
    } finally {
      Effect.runFork(Scope.close(scope, Exit.void))
    }
  }

  const turnAway = (signal: AbortSignal | null | undefined): Promise<Response> =>
    gate.shut === "parked" ? parked(signal) : Promise.reject(closed(config))

  const tryFetch: PooledFetch["tryFetch"] = (input, init) => {
    const sent = last?.fetch.tryFetch(input, init)
    if (sent === undefined) last = undefined
    return sent
  }

  const send: Fetch = (input, init) => {
    if (gate.shut !== undefined) return turnAway(init?.signal)
    return tryFetch(input, init) ?? lease(input, init)
  }

  const fetch: Fetch = (input, init) => {
    const site = Site.siteOf(init)
    if (site === undefined) return send(input, init)
    return send(input, init).then((response) => {
      Site.watch(response, site, config.baseURL)
      return response
    })
  }

  const sourceIn = (service: Service): AgentSource | undefined =>
    gate.shut === undefined ? agentSourcesOf(service.pooledFetch)?.outlet(provider, config) : undefined

  return {
    fetch: withResponse(fetch),
    ready: () => (gate.shut === undefined && last?.starts?.isBusy() === false ? tryFetch : undefined),
    source: () => {
      // A call that is turned away makes no service.
      if (gate.shut !== undefined) return undefined
      const service = host.service()
      return service instanceof Promise ? service.then(sourceIn) : sourceIn(service)
    },
    note: (fetch, starts) => {
      if (last?.starts !== starts || last.fetch !== fetch) last = { fetch, starts }
    }
  }
}
