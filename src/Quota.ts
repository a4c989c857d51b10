/**
 * What all holders of one credential share, however many clients and agents they are: providers count by account, so
 * an account is what is limited. There is one quota for each provider, base URL, key, organization and project; it
 * lasts as long as a client that uses the credential, and a minute more, in which any budget fills up again.
 *
 * Limits are no part of its identity: where configurations of one credential disagree, the tightest holds.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientConfig } from "./ClientConfig.ts"
import * as Gate from "./internal/gate.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type { QuotaOptions as Options } from "./internal/config/quotaOptions.ts"

type Limits = ClientConfig["quota"]

/**
 * Requests of one credential at this moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Requests that hold a permit: on the wire, or waiting for a socket. */
  readonly inFlight: number
  /** Requests that wait for a permit, in the order in which they came. */
  readonly queued: number
}

/**
 * The budget of one credential. The request path of every client goes through it; agents do not call it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quota {
  /** Takes a permit if one is free and nobody waits for it. */
  readonly tryEnter: () => boolean
  /** Takes a permit when its turn comes. Rejects with the signal's reason. */
  readonly enter: (signal: AbortSignal | undefined) => Promise<void>
  /** Gives a permit back. A permit lasts until the response's body ends. */
  readonly leave: () => void
  /** Adds a holder's limits for as long as the scope is open. The tightest of all holders apply; a disagreement is warned of once. */
  readonly join: (limits: Limits) => Effect.Effect<void, never, Scope.Scope>
  readonly stats: () => Stats
}

const tightest = (holders: Iterable<Limits>): Gate.Limits => {
  const limits = { requestsPerMinute: Infinity, maxConcurrency: Infinity }
  for (const holder of holders) {
    limits.requestsPerMinute = Math.min(limits.requestsPerMinute, holder.requestsPerMinute)
    limits.maxConcurrency = Math.min(limits.maxConcurrency, holder.maxConcurrency)
  }
  return limits
}

/**
 * A quota without limits until somebody joins with some. `name` says whose it is in the one warning about holders
 * that disagree; it must not be a secret.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (name: string): Quota => {
  // Holders with equal limits are one struct, so count by place, not by value.
  const holders = new Map<object, Limits>()
  let warned = false
  const gate = Gate.make(tightest([]))
  return {
    tryEnter: gate.tryEnter,
    enter: gate.enter,
    leave: gate.leave,
    join: (limits) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          const other = [...holders.values()].find(
            (one) => one.requestsPerMinute !== limits.requestsPerMinute || one.maxConcurrency !== limits.maxConcurrency
          )
          const holder = {}
          holders.set(holder, limits)
          const held = tightest(holders.values())
          gate.limit(held)
          if (other === undefined || warned) return Effect.succeed(holder)
          warned = true
          return Effect.as(
            Effect.logWarning(
              `${name}: configurations of one credential give different quotas; the tightest holds: ` +
                `${held.requestsPerMinute} requests a minute, ${held.maxConcurrency} at once`
            ),
            holder
          )
        }),
        (holder) =>
          Effect.sync(() => {
            holders.delete(holder)
            gate.limit(tightest(holders.values()))
          })
      ).pipe(Effect.asVoid),
    stats: () => {
      const { inFlight, queued } = gate.stats()
      return { inFlight, queued }
    }
  }
}
