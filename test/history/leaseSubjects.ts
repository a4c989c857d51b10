/** Maps of scoped values, as their users see them: ours, and the one that effect has. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"
import * as LeaseMap from "../../src/LeaseMap.ts"
import type { LeaseDetail, LeaseSetup } from "./leaseHistory.ts"

/** The owner of the current fiber. */
export const World = Context.GenericTag<string>("test/history/World")

/** The error of a build that was planned to fail. */
export class Planned {
  readonly _tag = "Planned"
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

export interface Subject {
  readonly get: (key: string) => Effect.Effect<number, unknown, Scope.Scope>
  /** A lease for as long as an effect runs; undefined where the map has none. */
  readonly use: ((key: string, f: (value: number) => Effect.Effect<void>) => Effect.Effect<void, unknown>) | undefined
  readonly invalidate: (key: string) => Effect.Effect<void>
  /** Leases by value; undefined for a map without statistics. */
  readonly leases: (() => ReadonlyArray<readonly [value: number, leases: number]>) | undefined
}

type Lookup = (key: string, self: LeaseMap.Handle | undefined) => Effect.Effect<number, Planned, Scope.Scope>

export type MakeSubject = (lookup: Lookup, setup: LeaseSetup) => Effect.Effect<Subject, never, Scope.Scope>

export const ours: MakeSubject = (lookup, setup) =>
  Effect.map(LeaseMap.make({ lookup, ...setup }), (map) => ({
    get: map.get,
    use: map.use,
    invalidate: map.invalidate,
    leases: () =>
      Effect.runSync(map.stats).entries.flatMap(({ leases, value }) =>
        value === undefined ? [] : [[value, leases] as const]
      )
  }))

/** Its `capacity` is a bound at which it refuses: what `maxEntries` is here. */
export const bare: MakeSubject = (lookup, { capacity, idleTimeToLive }) =>
  Effect.map(
    RcMap.make({ lookup: (key: string) => lookup(key, undefined), idleTimeToLive, capacity: Math.max(1, capacity) }),
    (map) => ({
      get: (key) => RcMap.get(map, key),
      use: undefined,
      invalidate: (key) => RcMap.invalidate(map, key),
      leases: undefined
    })
  )

/** The reason for which a lease was refused. */
export const refusal = (error: unknown): LeaseDetail => {
  if (error instanceof Planned) return { reason: "build", value: error.value }
  if (error instanceof LeaseMap.LeaseError) return { reason: error.reason }
  const tag = (error as { readonly _tag?: string } | null)?._tag
  return { reason: tag === "ExceededCapacityException" ? "Capacity" : "other" }
}
