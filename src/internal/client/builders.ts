/** The providers of the configs in use, and how the client of each is built. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientConfig } from "../../ClientConfig.ts"
import { OptionsError, type PoolError } from "../../ClientError.ts"
import type { Deps, Provider } from "../../Provider.ts"
import { lend, type Lent } from "./lend.ts"

interface Builder {
  readonly provider: unknown
  readonly build: (deps: Deps) => Effect.Effect<Lent, PoolError, Scope.Scope>
}

export class Builders {
  readonly #builders = new WeakMap<ClientConfig, Builder>()
  /** Configs of which nobody has asked for a client yet. */
  readonly #outletsOnly = new WeakSet<ClientConfig>()

  build(config: ClientConfig, deps: Deps): Effect.Effect<Lent, PoolError, Scope.Scope> {
    return this.#builders.get(config)!.build(deps)
  }

  /** True if nothing is to be noted for a client of this provider. */
  has(provider: unknown, config: ClientConfig): boolean {
    return this.#builders.get(config)?.provider === provider && !this.#outletsOnly.has(config)
  }

  /**
   * Notes a config that is used through its pooled fetch: callers with an SDK object of their own, or none, need no client,
   * and so none of a certain provider.
   */
  noteOutlet<I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>
  ): void {
    if (this.#builders.has(config)) return
    this.#note(provider, config)
    this.#outletsOnly.add(config)
  }

  /**
   * Notes how to build the client of a config, should it have to be built. The result is to be run before, if there is
   * one. `invalidate` makes the next lease build anew.
   */
  note<I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>,
    invalidate: (config: ClientConfig) => Effect.Effect<void>
  ): Effect.Effect<void, OptionsError> | undefined {
    const known = this.#builders.get(config)
    if (known?.provider === provider) {
      this.#outletsOnly.delete(config)
      return undefined
    }
    if (known === undefined || this.#outletsOnly.delete(config)) {
      this.#note(provider, config)
      // An entry that was built for the pooled fetch alone has no such client.
      return known === undefined ? undefined : invalidate(config)
    }
    return new OptionsError({
      provider: provider.id,
      field: "spec.id",
      received: "the id of another provider that is in use",
      expected: "one provider for each id, made once"
    })
  }

  #note<I, Client, P extends string, Extra extends string>(
    provider: Provider<I, Client, P, Extra>,
    config: ClientConfig<P>
  ): void {
    this.#builders.set(config, { provider, build: (deps) => lend(provider, config, deps) })
  }
}
