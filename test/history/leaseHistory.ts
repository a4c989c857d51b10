/** Events of a map of scoped values, in words that any such map has. */
import { type History, operations, type Operation, type Violation } from "./history.ts"

type Named<F extends string, Rest> = F extends string ? { readonly f: F } & Rest : never

/** A value is known by the number of its build. */
export type LeaseCall =
  /** `world` is whose services the build saw. */
  | { readonly f: "build"; readonly key: string; readonly value: number; readonly world: string }
  /** Something was acquired that its finalizer must release. */
  | Named<"acquire" | "release" | "retain", { readonly value: number }>
  | Named<"get" | "invalidate", { readonly key: string }>
  /** `of` is a `get` or a `retain`. */
  | Named<"end" | "interrupt", { readonly of: number }>
  /** When it is quiet all has gone that can go without time passing. */
  | Named<"close" | "quiet", {}>
  /** The map's own count of leases: pairs of value and leases. */
  | { readonly f: "look"; readonly leases: ReadonlyArray<readonly [value: number, leases: number]> }

export interface LeaseDetail {
  readonly value?: number
  readonly reason?: "Closed" | "Capacity" | "build" | "other"
}

/** Options of the map; times are milliseconds. */
export interface LeaseSetup {
  readonly idleTimeToLive: number
  readonly capacity: number
  readonly maxEntries: number
  readonly acquireTimeout: number
}

export type LeaseHistory = History<LeaseCall, LeaseDetail>

export type LeaseOperation = Operation<LeaseCall, LeaseDetail>

type Of<F extends LeaseCall["f"]> = LeaseOperation & { readonly call: Extract<LeaseCall, { readonly f: F }> }

/** A lease: surely from `got` to `ending`, and no more after `ended`; `Infinity` for what did not happen. */
interface Hold {
  readonly value: number
  readonly asked: number
  readonly got: number
  readonly ending: number
  readonly endingAt: number
  readonly ended: number
  readonly endedAt: number
}

export interface Value {
  readonly value: number
  readonly key: string
  readonly build: Of<"build">
  readonly acquired: boolean
  readonly releases: ReadonlyArray<Of<"release">>
  readonly holds: ReadonlyArray<Hold>
}

/** A history, sorted by what it is about. */
export interface Leases {
  readonly length: number
  readonly broken: ReadonlyArray<Violation>
  readonly values: ReadonlyArray<Value>
  readonly of: <F extends LeaseCall["f"]>(f: F) => ReadonlyArray<Of<F>>
  /** Places at which the closing of the map began and ended. */
  readonly closing: number
  readonly closed: number
}

export const sorted = (history: LeaseHistory): Leases => {
  const { all, broken } = operations(history)
  const of = <F extends LeaseCall["f"]>(f: F) => all.filter((one): one is Of<F> => one.call.f === f)
  const ends = new Map(of("end").map((one) => [one.call.of, one]))
  const holds = [...of("get"), ...of("retain")].flatMap((one): ReadonlyArray<Hold> => {
    const value = one.call.f === "retain" ? one.call.value : one.detail?.value
    if (one.end !== "ok" || value === undefined) return []
    const end = ends.get(one.op)
    return [
      {
        value,
        asked: one.from,
        got: one.to,
        ending: end?.from ?? Infinity,
        endingAt: end?.at ?? Infinity,
        // The scope of a lease may close before it is there: then it ends as soon as it is.
        ended: Math.max(one.to, end?.to ?? Infinity),
        endedAt: Math.max(one.until, end?.until ?? Infinity)
      }
    ]
  })
  const [close] = of("close")
  return {
    length: history.length,
    broken,
    of,
    closing: close?.from ?? Infinity,
    closed: close?.to ?? Infinity,
    values: of("build").map((build) => {
      const { key, value } = build.call
      return {
        value,
        key,
        build,
        acquired: of("acquire").some((one) => one.call.value === value),
        releases: of("release").filter((one) => one.call.value === value),
        holds: holds.filter((one) => one.value === value)
      }
    })
  }
}

/** Place at which the release of a value began. */
export const releasing = ({ releases: [first] }: Value): number => first?.from ?? Infinity

/** True if the value exists then and is leased, or was asked for before and is leased later. */
export const isWanted = ({ build, holds }: Value, at: number): boolean =>
  build.from <= at && holds.some(({ asked, ending }) => asked < at && at < ending)
