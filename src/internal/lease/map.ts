/**
 * A LeaseMap as fibers see it: leasing, waiting for a build or for room, and giving back on every way out.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import type * as LeaseMap from "../../LeaseMap.ts"
import * as Ticker from "../util/ticker.ts"
import * as Engine from "./engine.ts"
import type { Entry } from "./entry.ts"
import { type Refuse, Registry } from "./registry.ts"

/** The lease of one `get` or `use`. */
class Lease<K, A, E, R> {
  readonly #registry: Registry<K, A, E, R>
  readonly #acquireTimeout: Duration.Duration
  #entry: Entry<K, A, E, R> | undefined = undefined
  /** Ends the wait for room. */
  #leave: (() => void) | undefined = undefined
  isReleased = false

  constructor(registry: Registry<K, A, E, R>, acquireTimeout: Duration.Duration) {
    this.#registry = registry
    this.#acquireTimeout = acquireTimeout
  }

  /** Once, and with `release` in a finalizer. */
  acquire(key: K): Effect.Effect<A, E | LeaseMap.LeaseError> {
    const registry = this.#registry
    if (registry.isClosed) return Effect.fail(registry.refuse("Closed"))
    const entry = registry.acquire(key)
    if (entry !== undefined) {
      this.#entry = entry
      return this.#value(entry)
    }
    if (Duration.isZero(this.#acquireTimeout)) return Effect.fail(registry.refuse("Capacity"))
    return Effect.flatMap(this.#room(key), (entry) => this.#value(entry))
  }

  /** Idempotent, and valid at any time: while it waits, while the value is built, and after. */
  readonly release: Effect.Effect<void> = Effect.suspend(() => {
    this.isReleased = true
    this.#leave?.()
    const entry = this.#entry
    if (entry === undefined) return Effect.void
    this.#entry = undefined
    return entry.release()
  })

  #value(entry: Entry<K, A, E, R>): Effect.Effect<A, E | LeaseMap.LeaseError> {
    // Released here and not with the scope: a fiber that stops waiting must not keep the build going.
    return entry.built ?? Effect.onError(Deferred.await(entry.outcome), () => this.release)
  }

  #room(key: K): Effect.Effect<Entry<K, A, E, R>, LeaseMap.LeaseError> {
    const registry = this.#registry
    const granted = Effect.async<Entry<K, A, E, R>, LeaseMap.LeaseError>((resume) => {
      // Since this fiber looked it may have yielded, and room that is made, or a close, wakes only those in the queue.
      if (this.isReleased) return resume(Effect.interrupt)
      if (registry.isClosed) return resume(Effect.fail(registry.refuse("Closed")))
      this.#entry = registry.acquire(key)
      if (this.#entry !== undefined) return resume(Effect.succeed(this.#entry))
      let timer: Fiber.RuntimeFiber<void> | undefined
      const settle = (outcome: Effect.Effect<Entry<K, A, E, R>, LeaseMap.LeaseError>): void => {
        timer?.unsafeInterruptAsFork(FiberId.none)
        resume(outcome)
      }
      const leave = registry.queue.add(key, {
        granted: (entry) => {
          this.#entry = entry
          settle(Effect.succeed(entry))
        },
        refused: (reason) => settle(Effect.fail(registry.refuse(reason)))
      })
      // Its scope has closed, or its fiber was interrupted.
      this.#leave = () => leave() && settle(Effect.interrupt)
      if (!Duration.isFinite(this.#acquireTimeout)) return
      // By the map's clock, and for those who can't be interrupted too, as `Effect.timeout` would not.
      const expire = Effect.sync(() => void (leave() && resume(Effect.fail(registry.refuse("Capacity")))))
      timer = registry.engine.fork(Effect.zipRight(Effect.sleep(this.#acquireTimeout), expire))
    })
    return Effect.onError(granted, () => this.release)
  }
}

export const make = <K, A, E, R>(
  options: LeaseMap.Options<K, A, E, R>,
  refuse: Refuse
): Effect.Effect<LeaseMap.LeaseMap<K, A, E>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const name = options.name ?? "LeaseMap"
    const drainTimeout = Duration.decode(options.drainTimeout ?? Duration.seconds(10))
    const acquireTimeout = Duration.decode(options.acquireTimeout ?? 0)
    const engine = yield* Engine.make<A, E, R>({ name, drainTimeout })
    const ticker = yield* Ticker.current
    const registry = new Registry(options, engine, ticker, drainTimeout, (reason) => refuse(reason, name))
    yield* Effect.addFinalizer(() => registry.close())
    const map: LeaseMap.LeaseMap<K, A, E> = {
      get: (key) =>
        Effect.withFiberRuntime((fiber) => {
          const scope = Context.unsafeGet(fiber.currentContext, Scope.Scope)
          const lease = new Lease(registry, acquireTimeout)
          // The finalizer first: there is no moment at which a lease is counted and nobody would release it.
          return Effect.flatMap(Scope.addFinalizer(scope, lease.release), () =>
            lease.isReleased ? map.use(key, Effect.succeed) : lease.acquire(key)
          )
        }),
      use: (key, f) =>
        Effect.suspend(() => {
          const lease = new Lease(registry, acquireTimeout)
          const acquired = Effect.suspend(() => lease.acquire(key))
          return Effect.onExit(Effect.flatMap(acquired, f), () => lease.release)
        }),
      invalidate: (key) => Effect.suspend(() => registry.invalidate(key)),
      stats: Effect.sync(() => registry.snapshot())
    }
    return map
  })
