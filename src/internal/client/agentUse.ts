/**
 * The `use` of a provider's module, by the client map: the callback of an agent in one step of its fiber, without an
 * effect of its own between. It is found by the map's own `use`, so that it passes none by that wraps that function.
 */
import type { Effect } from "effect/Effect"
import type { RuntimeFiber } from "effect/Fiber"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import type { Provider } from "../../Provider.ts"

export type AgentUse = <I, Client, P extends string, Extra extends string, A>(
  provider: Provider<I, Client, P, Extra>,
  config: ClientConfig<P>,
  fiber: RuntimeFiber<unknown, unknown>,
  f: (client: Client, signal: AbortSignal) => PromiseLike<A>
) => Effect<A, ClientError>

const known = new WeakMap<Service["use"], AgentUse>()

export const agentUseOf = ({ use }: Service): AgentUse | undefined => known.get(use)

export const note = (service: Service, agentUse: AgentUse): Service => {
  known.set(service.use, agentUse)
  return service
}
