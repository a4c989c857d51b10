/** Builds the client of a provider for the client map: by its `build`, or by a layer that was given in its place. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { PoolError } from "../../ClientError.ts"
import { BuildContext, type Deps, type PooledFetch, type Provider } from "../../Provider.ts"
import { isReplaced } from "./derivedLayers.ts"

/** A client, typed by the provider through which it is asked for. */
export interface Lent {
  readonly client: unknown
  readonly fetch: Effect.Effect<PooledFetch, PoolError>
}

/** Lasts as long as the scope. */
export const lend = <I, Client, P extends string, Extra extends string>(
  provider: Provider<I, Client, P, Extra>,
  config: ClientConfig<P>,
  deps: Deps
): Effect.Effect<Lent, PoolError, Scope.Scope> => {
  const built = provider.build(config, deps)
  if (!isReplaced(provider)) {
    return Effect.map(built, ({ client, fetch }) => ({ client, fetch: Effect.succeed(fetch) }))
  }
  return Effect.gen(function* () {
    const scope = yield* Effect.scope
    const services = yield* Effect.provideService(Layer.build(provider.layer(config)), BuildContext, deps)
    // A layer has no fetch to give: one is built when somebody asks for it.
    const fetch = yield* Effect.cached(
      Scope.extend(
        Effect.map(built, ({ fetch }) => fetch),
        scope
      )
    )
    return { client: Context.get(services, provider.tag), fetch }
  })
}
