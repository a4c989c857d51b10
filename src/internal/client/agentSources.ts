/**
 * The client map as the calls of agents take its clients: without an effect of its own between, so that a call is one step
 * of its fiber, and waits in line before it starts. Found by the map's own functions, so that it passes none by that wraps
 * one of them.
 */
import type { Effect } from "effect/Effect"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import type { Provider } from "../../Provider.ts"
import type { AgentSource } from "../request/lateCall.ts"
import type { Finalizers } from "../util/finalizers.ts"

/** `use` and `hold` run `f` with the source of a config. */
export interface AgentSources {
  readonly use: <I, Client, P extends string, Extra extends string, A>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>,
    f: (source: AgentSource) => Effect<A, ClientError>
  ) => Effect<A, ClientError>
  /** Takes a client until the finalizers run. */
  readonly hold: <I, Client, P extends string, Extra extends string, A>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>,
    finalizers: Finalizers,
    f: (source: AgentSource) => Effect<A, ClientError>
  ) => Effect<A, ClientError>
  /** The source of a config for calls that take a pooled fetch alone. */
  readonly outlet: <I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>
  ) => AgentSource
}

const known = new WeakMap<object, AgentSources>()

/** `undefined` for a map that is not ours. */
export const agentSourcesOf = (take: Service["use" | "get" | "pooledFetch" | "useOutlet"]): AgentSources | undefined =>
  known.get(take)

export const note = (service: Service, sources: AgentSources): Service => {
  for (const take of [service.use, service.get, service.pooledFetch, service.useOutlet]) known.set(take, sources)
  return service
}
