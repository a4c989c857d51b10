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
import * as Engine from "./engine.ts"
import { Waiter } from "./queue.ts"
import { type Entry, type Refuse, Registry } from "./registry.ts"

/** The lease of one `get` or `use`, from waiting to its end. `end` is idempotent and valid in every state. */
class Lease<K, A, E, R> extends Waiter<Entry<K, A, E, R>> {
  readonly registry: Registry<K, A, E, R>
  readonly acquireTimeout: Duration.Duration
  private entry: Entry<K, A, E, R> | undefined = undefined
  private timer: Fiber.RuntimeFiber<void> | undefined = undefined
  ended = false

  constructor(registry: Registry<K, A, E, R>, acquireTimeout: Duration.Duration) {
    super()
    this.registry = registry
    this.acquireTimeout = acquireTimeout
  }

  /** Worth nothing without `end` in a finalizer. */
  begin(key: K): Effect.Effect<A, E | LeaseMap.LeaseError> {
    const { registry } = this
    if (registry.closed) return Effect.fail(registry.refuse("Closed"))
    const entry = registry.enter(key)
    if (entry !== undefined) {
      this.entry = entry
      return entry.built ?? this.outcome(entry)
    }
    if (Duration.isZero(this.acquireTimeout)) return Effect.fail(registry.refuse("Capacity"))
    return Effect.flatMap(this.room(key), (entry) => entry.built ?? this.outcome(entry))
  }

  override grant(entry: Entry<K, A, E, R>): void {
    this.entry = entry
    this.timer?.unsafeInterruptAsFork(FiberId.none)
  }

  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    this.ended = true
    this.giveUp()
    this.timer?.unsafeInterruptAsFork(FiberId.none)
    const entry = this.entry
    if (entry === undefined) return Effect.void
    this.entry = undefined
    return this.registry.give(entry)
  })

  private outcome(entry: Entry<K, A, E, R>): Effect.Effect<A, E | LeaseMap.LeaseError> {
    // Ended here and not with the scope: who stops waiting must not keep the build going.
    return Effect.onError(Deferred.await(entry.outcome), () => this.end)
  }

  private room(key: K): Effect.Effect<Entry<K, A, E, R>, LeaseMap.LeaseError> {
    const { registry } = this
    const granted = Effect.async<Entry<K, A, E, R>, LeaseMap.LeaseError>((resume) => {
      // Since this fiber looked it may have yielded, and who makes room, or closes, wakes only those in the queue.
      if (this.ended) return resume(Effect.interrupt)
      if (registry.closed) return resume(Effect.fail(registry.refuse("Closed")))
      this.entry = registry.enter(key)
      if (this.entry !== undefined) return resume(Effect.succeed(this.entry))
      registry.queue.join(key, this, {
        granted: (entry) => resume(Effect.succeed(entry)),
        refused: (reason) => resume(Effect.fail(registry.refuse(reason))),
        // Its scope has closed: as with a build that nobody waits for any more.
        gaveUp: () => resume(Effect.interrupt)
      })
      if (!Duration.isFinite(this.acquireTimeout)) return
      // By the map's clock, and for those who can't be interrupted too, as `Effect.timeout` would not.
      const expire = Effect.sync(() => this.refuse("Capacity"))
      this.timer = registry.engine.fork(Effect.zipRight(Effect.sleep(this.acquireTimeout), expire))
    })
    return Effect.onError(granted, () => this.end)
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
    const engine = yield* Engine.make<A, E, R>({
      name,
      idleTimeToLive: options.idleTimeToLive ?? Duration.minutes(1),
      drainTimeout
    })
    const registry = new Registry(options, engine, drainTimeout, (reason) => refuse(reason, name))
    yield* Effect.addFinalizer(() => registry.close())
    const map: LeaseMap.LeaseMap<K, A, E> = {
      get: (key) =>
        Effect.withFiberRuntime((fiber) => {
          const scope = Context.unsafeGet(fiber.currentContext, Scope.Scope)
          const lease = new Lease(registry, acquireTimeout)
          // The finalizer first: there is no moment at which a lease is counted and nobody would end it.
          return Effect.flatMap(Scope.addFinalizer(scope, lease.end), () =>
            lease.ended ? map.use(key, Effect.succeed) : lease.begin(key)
          )
        }),
      use: (key, f) =>
        Effect.suspend(() => {
          const lease = new Lease(registry, acquireTimeout)
          const begin = Effect.suspend(() => lease.begin(key))
          return Effect.onExit(Effect.flatMap(begin, f), () => lease.end)
        }),
      invalidate: (key) => Effect.suspend(() => registry.invalidate(key)),
      stats: Effect.sync(() => registry.snapshot())
    }
    return map
  })
