/**
 * A map from keys to scoped values that any number of fibers lease at once. A value is built on the first lease of its
 * key, shared by all leases meanwhile, and released when it has had no lease for `idleTimeToLive`. Clients,
 * transports and quotas all live in one.
 *
 * It is effect's `RcMap` driven so that no two fibers ever race in it:
 *
 * - a key is built at most once at a time, whatever the interleaving, and a failed build is not cached;
 * - `invalidate` replaces a value without touching leases of the old one;
 * - `capacity` releases idle values and never leased ones, and never refuses a lease;
 * - a value sees the `Context`, FiberRefs and async context of `make`, never those of its first lease;
 * - closing is parallel and bounded in time, and leasing from a closed map is a typed error.
 *
 * Keys are compared with effect's `Equal`: use `Data.struct`, strings or numbers, or classes that define `Equal` and `Hash`
 * ({@link LeaseMap} says why). It is not a cache of plain results: use effect's `Cache` for values that need no release.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Scope from "effect/Scope"
import * as internal from "./internal/lease/map.ts"

/**
 * A lease was refused:
 *
 * - `Closed`: the map's scope has been closed.
 * - `Capacity`: `maxEntries` values were leased, and none went idle within `acquireTimeout`.
 *
 * @since 0.1.0
 * @category errors
 */
export class LeaseError extends Data.TaggedError("LeaseError")<{
  readonly reason: "Closed" | "Capacity"
  /** The `name` of the map. */
  readonly map: string
}> {
  override get message(): string {
    return this.reason === "Closed"
      ? `${this.map}: closed, it leases no more values`
      : `${this.map}: maxEntries reached and nothing went idle within acquireTimeout`
  }
}

/**
 * Lets a value lease itself from plain code: a client leases itself while a request that it has sent is in flight.
 * Costs nanoseconds while the value is already leased.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handle {
  /** Takes a lease. `false`, and nothing taken, once the release of the value has begun. */
  readonly retain: () => boolean
  /** `retain` in place of a new lookup by key: it counts as a `Hit`. */
  readonly join: () => boolean
  /** Ends a lease taken with `retain` or `join`. More calls than there were such leases do nothing. */
  readonly release: () => void
  /** Number of this construction in the map. Never reused within a map. */
  readonly generation: number
  /** Current number of leases, those of fibers included. */
  readonly leases: () => number
}

/**
 * Lifecycle events of an entry, emitted as they happen.
 *
 * - `Hit`: a lease of a value that is built, or being built.
 * - `Miss`: a lease that starts a build; `Built` or `Failed` follows. A build whose last waiter is gone ends as
 *   `Failed` too, with an interruption as its cause.
 * - `Evicted`: released early to make room. `Invalidated`: replaced by hand. Both are emitted before `Released`.
 * - `Released`: the value's finalizers have run (or have run out of `drainTimeout`).
 *
 * @since 0.1.0
 * @category models
 */
export type Event<K> =
  | {
      readonly _tag: "Hit" | "Miss" | "Built" | "Released" | "Evicted" | "Invalidated"
      readonly key: K
      readonly generation: number
    }
  | {
      readonly _tag: "Failed"
      readonly key: K
      readonly generation: number
      readonly cause: Cause.Cause<unknown>
    }

/**
 * Construction of values, and limits on their number and lifetime. A number for a duration is milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<K, A, E, R> {
  /** Names the map in logs and errors. @default "LeaseMap" */
  readonly name?: string | undefined
  /**
   * Builds the value of a key. Runs in a fiber of the map, with the services, FiberRefs and clock of `make`; its scope
   * closes when the value is released.
   */
  readonly lookup: (key: K, self: Handle) => Effect.Effect<A, E, R>
  /** Time that a value stays after its last lease. Zero releases at once, infinity never. @default "1 minute" */
  readonly idleTimeToLive?: Duration.DurationInput | undefined
  /**
   * Asked of a value when its last lease has ended: `false` releases it at once, without its idle time. It must not throw.
   * @default all values are worth keeping
   */
  readonly worthKeeping?: ((value: A) => boolean) | undefined
  /**
   * Number of values to hold. Above it the least recently used idle one is released; leased ones never are, so the map
   * may be larger for a while. @default Infinity
   */
  readonly capacity?: number | undefined
  /**
   * Hard bound on values: at it, idle ones are released to make room, and a lease that needs a new value while all are
   * leased waits, first come first served. @default Infinity
   */
  readonly maxEntries?: number | undefined
  /** Time that a lease waits at `maxEntries` before it fails with reason `Capacity`. @default 0 */
  readonly acquireTimeout?: Duration.DurationInput | undefined
  /**
   * Time that the finalizers of one value are awaited, at release and when the map closes. Slower ones continue in the
   * background, with a warning. @default "10 seconds"
   */
  readonly drainTimeout?: Duration.DurationInput | undefined
  /** Called synchronously on the path of each lease: keep it short. What it throws is swallowed. */
  readonly onEvent?: ((event: Event<K>) => void) | undefined
}

/**
 * A value that stands or is being built.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry<K, A> {
  readonly key: K
  readonly generation: number
  /** Leases of fibers and of handles, waiters of a build included. */
  readonly leases: number
  /** Since when it has had no lease, in milliseconds of the map's clock; `undefined` while leased. */
  readonly idleSince: number | undefined
  /** Invalidated: current leases finish on it, new ones get another. */
  readonly invalidated: boolean
  /** `undefined` while it is being built. */
  readonly value: A | undefined
}

/**
 * Counts since `make`, and the values of this moment. Once nothing is being built, `misses = built + failed`; once the map
 * is closed, `built = released`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats<K, A> {
  readonly hits: number
  readonly misses: number
  readonly built: number
  readonly failed: number
  readonly released: number
  readonly evicted: number
  /** Leases that wait at `maxEntries`. */
  readonly waiting: number
  readonly entries: ReadonlyArray<Entry<K, A>>
}

/**
 * Closes with the scope of `make`.
 *
 * `K` is compared with effect's `Equal`. Effect 3 compares objects that do not define it by reference. Effect 4 compares them
 * by their fields, in which private ones are missing: an object without any other, such as a `Headers`, a promise or an
 * `AbortController`, equals every other of its class, and as a key, or part of one, would share that one's value. A lease of
 * such a key dies with a `TypeError`. An object that has both private and other fields passes: let its class define
 * `Equal` and `Hash`.
 *
 * @since 0.1.0
 * @category models
 */
export interface LeaseMap<in out K, in out A, in out E = never> {
  readonly get: (key: K) => Effect.Effect<A, E | LeaseError, Scope.Scope>
  readonly use: <B, E2, R>(key: K, f: (value: A) => Effect.Effect<B, E2, R>) => Effect.Effect<B, E | LeaseError | E2, R>
  readonly invalidate: (key: K) => Effect.Effect<void>
  readonly stats: Effect.Effect<Stats<K, A>>
}

/**
 * Makes a map. When its scope closes, leases are refused, builds are interrupted (their waiters get a `LeaseError`), and
 * all values are released in parallel, leased or not: draining what is in flight is the business of a value's finalizer,
 * which has `drainTimeout` for it.
 *
 * @example
 * ```ts
 * import * as LeaseMap from "clientele/LeaseMap"
 * import * as Effect from "effect/Effect"
 *
 * declare const connect: (host: string) => Promise<{ query: (text: string) => Promise<string>; end: () => Promise<void> }>
 *
 * export const program = Effect.gen(function* () {
 *   const connections = yield* LeaseMap.make({
 *     name: "connections",
 *     lookup: (host: string) =>
 *       Effect.acquireRelease(
 *         Effect.tryPromise(() => connect(host)),
 *         (connection) => Effect.promise(() => connection.end())
 *       ),
 *     idleTimeToLive: "30 seconds"
 *   })
 *   return yield* LeaseMap.use(connections, "db.example.com", (connection) =>
 *     Effect.tryPromise(() => connection.query("select 1"))
 *   )
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: <K, A, E, R>(
  options: Options<K, A, E, R>
) => Effect.Effect<LeaseMap<K, A, E>, never, R | Scope.Scope> = (options) =>
  internal.make(options, (reason, map) => new LeaseError({ reason, map }))

/**
 * Leases the value of a key until the scope closes, and builds it if needed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const get: {
  <K>(key: K): <A, E>(self: LeaseMap<K, A, E>) => Effect.Effect<A, E | LeaseError, Scope.Scope>
  <K, A, E>(self: LeaseMap<K, A, E>, key: K): Effect.Effect<A, E | LeaseError, Scope.Scope>
} = dual(2, <K, A, E>(self: LeaseMap<K, A, E>, key: K) => self.get(key))

/**
 * Leases the value of a key for as long as `f` runs. Cheaper than `Effect.scoped` around `get`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const use: {
  <K, A, B, E2, R>(
    key: K,
    f: (value: A) => Effect.Effect<B, E2, R>
  ): <E>(self: LeaseMap<K, A, E>) => Effect.Effect<B, E | LeaseError | E2, R>
  <K, A, E, B, E2, R>(
    self: LeaseMap<K, A, E>,
    key: K,
    f: (value: A) => Effect.Effect<B, E2, R>
  ): Effect.Effect<B, E | LeaseError | E2, R>
} = dual(3, <K, A, E, B, E2, R>(self: LeaseMap<K, A, E>, key: K, f: (value: A) => Effect.Effect<B, E2, R>) =>
  self.use(key, f)
)

/**
 * Makes the next lease of a key build anew. Current leases finish on the old value; it is released with its last lease
 * whatever the idle time, or at once, and before this returns, if it has none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const invalidate: {
  <K>(key: K): <A, E>(self: LeaseMap<K, A, E>) => Effect.Effect<void>
  <K, A, E>(self: LeaseMap<K, A, E>, key: K): Effect.Effect<void>
} = dual(2, <K, A, E>(self: LeaseMap<K, A, E>, key: K) => self.invalidate(key))

/**
 * A snapshot of the counts and of the values that are held.
 *
 * @since 0.1.0
 * @category accessors
 */
export const stats = <K, A, E>(self: LeaseMap<K, A, E>): Effect.Effect<Stats<K, A>> => self.stats
