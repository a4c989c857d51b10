/**
 * Builds and finalizes values, through effect's `RcMap`.
 *
 * A key of this RcMap is one generation of a key of the LeaseMap, and holds one reference from its build to its release.
 * So RcMap 3.22 meets no key twice, which is where it builds a value several times, remembers a failed lookup, and lets
 * the release of an invalidated value remove its replacement. Its idle time is zero: idle values keep their reference
 * (`idle.ts`), and the release of it finalizes the value at once.
 *
 * Everything runs in root fibers of the map: with the services, FiberRefs and async context of its maker, never those of
 * the fiber that happens to lease or release.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { snapshot } from "../util/asyncContext.ts"

/** A value to build, and the callbacks of its life. */
export interface Construction<A, E, R> {
  readonly generation: number
  readonly lookup: () => Effect.Effect<A, E, R>
  /** The build has ended. Called once, never before `build` has returned. */
  readonly settled: (exit: Exit.Exit<A, E>) => void
  /** The finalizers are done, or out of time. Called once. */
  readonly released: () => void
}

/** The one reference to a generation in RcMap. */
export interface Reference {
  /** Interrupts the build. It still settles. */
  readonly abandon: () => void
  /** Finalizes what has settled. */
  readonly release: () => void
}

export interface Options {
  readonly name: string
  readonly drainTimeout: Duration.DurationInput
}

export interface Engine<A, E, R> {
  /** Runs in a root fiber of the map. */
  readonly fork: <B, E2>(effect: Effect.Effect<B, E2, R>) => Fiber.RuntimeFiber<B, E2>
  /** Builds a value, and holds it until `release`. */
  readonly build: (construction: Construction<A, E, R>) => Reference
  /** Closes RcMap, once all has been released. */
  readonly close: Effect.Effect<void>
}

/** A key of RcMap, compared by identity. */
interface Slot<A, E, R> {
  readonly construction: Construction<A, E, R>
  isAbandoned: boolean
  building: Fiber.RuntimeFiber<unknown, unknown> | undefined
}

type Outside = <A>(f: () => A) => A

/** Effect runs a batch of tasks in the async context of its first; a value must not keep that one alive. */
const schedulerOutside = (outside: Outside, scheduler: Scheduler.Scheduler): Scheduler.Scheduler => ({
  scheduleTask: (task, priority) => scheduler.scheduleTask(() => outside(task), priority),
  shouldYield: (fiber) => scheduler.shouldYield(fiber)
})

/** Ways to run effects in root fibers of the map. */
interface Roots<R> {
  readonly context: Context.Context<R>
  readonly fork: Engine<never, never, R>["fork"]
  /** Lookups and finalizers have the op budget and the scheduler of the map's maker. */
  readonly asMaker: <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.Effect<A, E, R2>
}

const makeRoots = <R>(): Effect.Effect<Roots<R>, never, R> =>
  Effect.map(Effect.runtime<R>(), (maker) => {
    const outside: Outside = snapshot()
    const budget = FiberRefs.getOrDefault(maker.fiberRefs, FiberRef.currentMaxOpsBeforeYield)
    const scheduler = schedulerOutside(outside, FiberRefs.getOrDefault(maker.fiberRefs, FiberRef.currentScheduler))
    const runtime = maker.pipe(
      // A map made in an uninterruptible region, or by a fiber that is being interrupted, still has builds to interrupt.
      Runtime.enableRuntimeFlag(RuntimeFlags.Interruption),
      Runtime.setFiberRef(FiberRef.interruptedCause, Cause.empty),
      // Nothing comes between an entry and the beginning or the end of its build.
      Runtime.setFiberRef(FiberRef.currentMaxOpsBeforeYield, Number.MAX_SAFE_INTEGER),
      Runtime.setFiberRef(FiberRef.currentScheduler, schedulerOutside(outside, Scheduler.defaultScheduler))
    )
    return {
      context: maker.context,
      fork: (effect) => outside(() => Runtime.runFork(runtime, effect)),
      asMaker: (effect) => effect.pipe(Effect.withMaxOpsBeforeYield(budget), Effect.withScheduler(scheduler))
    }
  })

/** Closes the scope of a value. Cannot fail or be interrupted, and returns within the drain timeout. */
const finalizer =
  <R>({ drainTimeout, name }: Options, { asMaker, fork }: Roots<R>) =>
  (
    { generation, released }: Pick<Construction<never, never, R>, "generation" | "released">,
    values: Scope.CloseableScope,
    exit: Exit.Exit<unknown, unknown>
  ): Effect.Effect<void> => {
    const warn = (...message: ReadonlyArray<unknown>) =>
      Effect.annotateLogs(Effect.logWarning(...message), { leaseMap: name, generation })
    const warned = (closed: Exit.Exit<void>) =>
      Exit.isFailure(closed) ? warn("a finalizer failed", closed.cause) : Effect.void
    return Effect.suspend(() => {
      // A fiber of its own, which goes on when its time is up.
      const closing = fork(asMaker(Effect.uninterruptible(Scope.close(values, exit))))
      const closed = closing.unsafePoll()
      if (closed !== null) return warned(closed)
      return Effect.flatMap(
        Effect.timeoutOption(Effect.interruptible(Fiber.await(closing)), drainTimeout),
        Option.match({
          onNone: () => warn("a finalizer outlives drainTimeout, and goes on by itself"),
          onSome: warned
        })
      )
    }).pipe(
      Effect.catchAllCause(() => Effect.void),
      Effect.ensuring(Effect.sync(released)),
      Effect.uninterruptible
    )
  }

export const make = <A, E, R>(options: Options): Effect.Effect<Engine<A, E, R>, never, R> =>
  Effect.gen(function* () {
    const roots = yield* makeRoots<R>()
    const finalize = finalizer(options, roots)

    const build = (slot: Slot<A, E, R>): Effect.Effect<A, E, Scope.Scope> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiberRuntime<A, E, Scope.Scope>((fiber) => {
          slot.building = fiber
          const { construction } = slot
          const entryScope = Context.unsafeGet(fiber.currentContext, Scope.Scope)
          const ended = Effect.sync(() => {
            slot.building = undefined
          })
          return Effect.flatMap(Scope.make(), (values) => {
            const lookup = Effect.suspend(construction.lookup).pipe(
              Effect.provide(Context.add(roots.context, Scope.Scope, values)),
              roots.asMaker
            )
            return Effect.zipRight(
              Scope.addFinalizerExit(entryScope, (exit) => finalize(construction, values, exit)),
              Effect.ensuring(slot.isAbandoned ? Effect.interrupt : restore(lookup), ended)
            )
          })
        })
      )

    const scope = yield* Scope.make()
    const rcMap = yield* Scope.extend(RcMap.make({ lookup: build, idleTimeToLive: 0 }), scope)

    return {
      fork: roots.fork,
      build: (construction) => {
        const slot: Slot<A, E, R> = { construction, isAbandoned: false, building: undefined }
        const hold = Effect.runSync(Scope.make())
        const built = Effect.exit(Scope.extend(RcMap.get(rcMap, slot), hold))
        roots.fork(Effect.flatMap(built, (exit) => Effect.sync(() => construction.settled(exit))))
        return {
          abandon: () => {
            slot.isAbandoned = true
            slot.building?.unsafeInterruptAsFork(FiberId.none)
          },
          release: () => void roots.fork(Scope.close(hold, Exit.void))
        }
      },
      close: Scope.close(scope, Exit.void)
    }
  })
