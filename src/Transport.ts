/**
 * The connections of one origin: a bounded pool of HTTP/2 sessions where the server offers HTTP/2, of HTTP/1.1
 * connections where it does not, and one queue in front of them. Clients whose origin and transport options agree
 * share a transport, whatever their API keys; `isolation: "client"` gives a client its own.
 *
 * A transport closes when the scope that it was made in does: requests in flight get the drain timeout, then sockets
 * are destroyed.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { makeFetch } from "./internal/http/makeFetch.ts"
import * as OverloadLog from "./internal/overload/overloadLog.ts"
import * as Starvation from "./internal/transport/starvationLog.ts"
import type { TransportTarget } from "./internal/transport/transportOptions.ts"
import type { AllowAddress } from "./internal/transport/allowAddress.ts"
import { makePool } from "./internal/transport/pool.ts"
import type { SocketBudget } from "./internal/transport/sockets.ts"
import type { Ticker } from "./internal/util/ticker.ts"
import type { PoolStats, WirePool } from "./internal/http/types.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type { TransportOptions as Options } from "./internal/transport/transportOptions.ts"

/**
 * Sockets open and opened, requests in flight and queued, and the protocol that the server chose.
 *
 * @since 0.1.0
 * @category models
 */
export type Stats = PoolStats

/**
 * The pool of one origin, as a provider's `layer` is given it. Leased: it is open for as long as a client stands on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transport {
  readonly origin: string
  /** Bare of credentials, quotas, retries and timeouts; bound to the origin. Its responses are the global `Response`. */
  readonly fetch: typeof globalThis.fetch
  readonly stats: () => Stats
  /** @internal */
  readonly pool: WirePool
}

const reveal = (secret: Redacted.Redacted | undefined): string | undefined =>
  secret === undefined ? undefined : Redacted.value(secret)

/**
 * Settings and resources of a client layer that all of its transports share.
 *
 * @internal
 */
export interface Surroundings {
  readonly budget: SocketBudget
  /** In milliseconds. */
  readonly drainTimeout: number
  readonly ticker: Ticker
  readonly allowAddress: AllowAddress | undefined
}

/**
 * A transport of its own, for as long as the scope is open.
 *
 * @internal
 */
export const make = (
  key: TransportTarget,
  { allowAddress, budget, drainTimeout, ticker }: Surroundings
): Effect.Effect<Transport, never, Scope.Scope> =>
  Effect.map(
    Effect.flatMap(Effect.zip(Starvation.warner, OverloadLog.make), ([onStarved, overloadLog]) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const secrets = { proxy: reveal(key.proxy), key: reveal(key.key) }
          return makePool({ ...key, ...secrets, budget, ticker, allowAddress, onStarved, ...overloadLog })
        }),
        (pool) => Effect.promise(() => pool.close(drainTimeout))
      )
    ),
    (pool) => ({ origin: key.origin, fetch: makeFetch(() => pool), stats: pool.stats, pool })
  )
