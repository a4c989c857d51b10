/**
 * A LeaseMap as fibers see it: leasing, waiting for a build or for room, and giving back on every way out.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import type * as LeaseMap from "../../LeaseMap.ts"
import * as Ticker from "../util/ticker.ts"
import * as Engine from "./engine.ts"
import type { LeaseEntry } from "./entry.ts"
import { type Refuse, Registry } from "./registry.ts"

/** Called once, with the value or with why there is none. */
type Acquired<A, E> = (exit: Exit.Exit<A, E>) => void

/** One lease, without a fiber. */
export interface OpenLease<A, E> {
  /** Once. Calls back at once where the value stands, and with an interruption if it is released before. */
  acquire(acquired: Acquired<A, E>): void
  /** Idempotent, and valid at any time. The effect waits for finalizers that it begins. */
  release(): Effect.Effect<void>
}

/** The lease of one `get` or `use`. Plain callbacks, so that a lease costs no step of a fiber. */
class Lease<K, A, E, R> implements OpenLease<A, E | LeaseMap.LeaseError> {
  readonly #registry: Registry<K, A, E, R>
  readonly #key: K
  #entry: LeaseEntry<K, A, E, R> | undefined = undefined
  /** Ends the wait for room, or for a build. */
  #leave: (() => void) | undefined = undefined
  isReleased = false

  constructor(registry: Registry<K, A, E, R>, key: K) {
    this.#registry = registry
    this.#key = key
  }

  acquire(acquired: Acquired<A, E | LeaseMap.LeaseError>): void {
    const registry = this.#registry
    // Its scope may have closed before its fiber came to this.
    if (this.isReleased) return acquired(Exit.interrupt(FiberId.none))
    if (registry.isClosed) return acquired(Exit.fail(registry.refuse("Closed")))
    const entry = registry.acquire(this.#key)
    if (entry !== undefined) this.#await(entry, acquired)
    else if (Duration.isZero(registry.acquireTimeout)) acquired(Exit.fail(registry.refuse("Capacity")))
    else this.#awaitRoom(acquired)
  }

  release(): Effect.Effect<void> {
    this.isReleased = true
    this.#leave?.()
    const entry = this.#entry
    if (entry === undefined) return Effect.void
    this.#entry = undefined
    return entry.release()
  }

  #await(entry: LeaseEntry<K, A, E, R>, acquired: Acquired<A, E | LeaseMap.LeaseError>): void {
    this.#entry = entry
    if (entry.built !== undefined) return acquired(entry.built)
    const leave = entry.outcome.await(acquired)
    this.#leave = () => leave() && acquired(Exit.interrupt(FiberId.none))
  }

  #awaitRoom(acquired: Acquired<A, E | LeaseMap.LeaseError>): void {
    const { acquireTimeout, engine, queue, refuse } = this.#registry
    let timer: Fiber.RuntimeFiber<void> | undefined
    const leave = queue.add(this.#key, {
      granted: (entry) => {
        timer?.unsafeInterruptAsFork(FiberId.none)
        this.#await(entry, acquired)
      },
      refused: (reason) => {
        timer?.unsafeInterruptAsFork(FiberId.none)
        acquired(Exit.fail(refuse(reason)))
      }
    })
    this.#leave = () => {
      if (!leave()) return
      timer?.unsafeInterruptAsFork(FiberId.none)
      acquired(Exit.interrupt(FiberId.none))
    }
    if (!Duration.isFinite(acquireTimeout)) return
    // By the map's clock, and for those who can't be interrupted too, as `Effect.timeout` would not.
    const expire = Effect.sync(() => void (leave() && acquired(Exit.fail(refuse("Capacity")))))
    timer = engine.fork(Effect.zipRight(Effect.sleep(acquireTimeout), expire))
  }
}

/**
 * Acquires a lease, whose value is there at once where it stands: no step of the fiber. A fiber that stops waiting must not
 * keep the build going.
 */
const acquire = <A, E, B, E2>(
  lease: OpenLease<A, E>,
  settled: (exit: Exit.Exit<A, E>) => Exit.Exit<B, E2>
): Effect.Effect<B, E2> => {
  let now: Exit.Exit<A, E> | undefined
  let resume = (exit: Exit.Exit<A, E>): void => {
    now = exit
  }
  lease.acquire((exit) => resume(exit))
  if (now !== undefined) return settled(now)
  const acquired = Effect.async<B, E2>((then) => {
    if (now === undefined) resume = (exit) => then(settled(exit))
    else then(settled(now))
  })
  return Effect.onError(acquired, () => lease.release())
}

const asItIs = <A>(exit: A): A => exit

/** A LeaseMap, and its leases without a fiber. */
export interface LeaseSource<K, A, E> extends LeaseMap.LeaseMap<K, A, E> {
  readonly lease: (key: K) => OpenLease<A, E | LeaseMap.LeaseError>
  /** `get` of what `settled` makes of the outcome. It must not throw. */
  readonly getWith: <B, E2>(
    key: K,
    settled: (exit: Exit.Exit<A, E | LeaseMap.LeaseError>) => Exit.Exit<B, E2>
  ) => Effect.Effect<B, E2, Scope.Scope>
}

export const make = <K, A, E, R>(
  options: LeaseMap.Options<K, A, E, R>,
  refuse: Refuse
): Effect.Effect<LeaseSource<K, A, E>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const name = options.name ?? "LeaseMap"
    const drainTimeout = Duration.decode(options.drainTimeout ?? Duration.seconds(10))
    const engine = yield* Engine.make<A, E, R>({ name, drainTimeout })
    const ticker = yield* Ticker.current
    const registry = new Registry(options, engine, ticker, drainTimeout, (reason) => refuse(reason, name))
    yield* Effect.addFinalizer(() => registry.close())
    const lease = (key: K) => new Lease(registry, key)
    const map: LeaseSource<K, A, E> = {
      lease,
      get: (key) => map.getWith(key, asItIs),
      getWith: (key, settled) =>
        Effect.withFiberRuntime((fiber) => {
          const scope = Context.unsafeGet(fiber.currentContext, Scope.Scope)
          const one = lease(key)
          // The finalizer first: there is no moment at which a lease is counted and nobody would release it.
          return Effect.flatMap(
            Scope.addFinalizerExit(scope, () => one.release()),
            () =>
              one.isReleased
                ? Effect.flatMap(Effect.exit(map.use(key, Effect.succeed)), settled)
                : acquire(one, settled)
          )
        }),
      use: (key, f) =>
        Effect.suspend(() => {
          const one = lease(key)
          const used = Effect.suspend(() => Effect.flatMap(acquire(one, asItIs), f))
          return Effect.onExit(used, () => one.release())
        }),
      invalidate: (key) => Effect.suspend(() => registry.invalidate(key)),
      stats: Effect.sync(() => registry.snapshot())
    }
    return map
  })
