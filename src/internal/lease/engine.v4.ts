/**
 * Builds and finalizes values, through effect's `RcMap`.
 *
 * A key of this RcMap is one generation of a key of the LeaseMap, and holds one reference from its build to its release.
 * So RcMap 4.1 meets no key twice, which is where it remembers a failed lookup, and lets the first to lease give its
 * services to the build. Its idle time is zero: idle values keep their reference (`idle.ts`), and the release of it
 * finalizes the value at once.
 *
 * Everything runs in root fibers of the map: with the services and the async context of its maker, never those of the
 * fiber that happens to lease or release.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { snapshot } from "../util/asyncContext.ts"
import { queueMicrotask } from "../util/timers.ts"

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
  readonly drainTimeout: Duration.Input
}

export interface LeaseEngine<A, E, R> {
  /** Runs in a root fiber of the map. */
  readonly fork: <B, E2>(effect: Effect.Effect<B, E2, R>) => Fiber.Fiber<B, E2>
  /** Builds a value, and holds it until `release`. */
  readonly build: (construction: Construction<A, E, R>) => Reference
  /** Closes RcMap, once all has been released. */
  readonly close: Effect.Effect<void>
}

/** A key of RcMap. Effect 4 compares objects by what is in them, unless they define how. */
class Slot<A, E, R> implements Equal.Equal {
  readonly construction: Construction<A, E, R>
  isAbandoned = false
  building: Fiber.Fiber<unknown, unknown> | undefined = undefined

  constructor(construction: Construction<A, E, R>) {
    this.construction = construction
  }
  [Hash.symbol](): number {
    return Hash.number(this.construction.generation)
  }
  [Equal.symbol](that: unknown): boolean {
    return this === that
  }
}

/** RcMap looks a value up at once, and a build settles after `build` has returned. */
const microtask = Effect.callback<void>((resume) => queueMicrotask(() => resume(Effect.void)))

const scheduler = new Scheduler.MixedScheduler()

/** Ways to run effects in root fibers of the map. */
interface Roots<R> {
  readonly context: Context.Context<R>
  readonly fork: LeaseEngine<never, never, R>["fork"]
  /** Lookups and finalizers have the op budget and the scheduler of the map's maker. */
  readonly asMaker: <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.Effect<A, E, R2>
}

const makeRoots = <R>(): Effect.Effect<Roots<R>, never, R> =>
  Effect.map(Effect.context<R>(), (context) => {
    const outside = snapshot()
    // Nothing comes between an entry and the beginning or the end of its build.
    const atomic = context.pipe(
      Context.add(Scheduler.PreventSchedulerYield, true),
      Context.add(Scheduler.Scheduler, scheduler)
    )
    const preventYield = Context.get(context, Scheduler.PreventSchedulerYield)
    const ofMaker = Context.get(context, Scheduler.Scheduler)
    return {
      context,
      fork: (effect) => outside(() => Effect.runForkWith(atomic)(effect)),
      asMaker: (effect) =>
        effect.pipe(
          Effect.provideService(Scheduler.PreventSchedulerYield, preventYield),
          Effect.provideService(Scheduler.Scheduler, ofMaker)
        )
    }
  })

/** Closes the scope of a value. Cannot fail or be interrupted, and returns within the drain timeout. */
const finalizer =
  <R>({ drainTimeout, name }: Options, { asMaker, fork }: Roots<R>) =>
  (
    { generation, released }: Pick<Construction<never, never, R>, "generation" | "released">,
    values: Scope.Closeable,
    exit: Exit.Exit<unknown, unknown>
  ): Effect.Effect<void> => {
    const warn = (...message: ReadonlyArray<unknown>) =>
      Effect.annotateLogs(Effect.logWarning(...message), { leaseMap: name, generation })
    const warned = (closed: Exit.Exit<void>) =>
      Exit.isFailure(closed) ? warn("a finalizer failed", closed.cause) : Effect.void
    return Effect.suspend(() => {
      // A fiber of its own, which goes on when its time is up.
      const closing = fork(asMaker(Effect.uninterruptible(Scope.close(values, exit))))
      const closed = closing.pollUnsafe()
      if (closed !== undefined) return warned(closed)
      return Effect.flatMap(
        Effect.timeoutOption(Effect.interruptible(Fiber.await(closing)), drainTimeout),
        Option.match({
          onNone: () => warn("a finalizer outlives drainTimeout, and goes on by itself"),
          onSome: warned
        })
      )
    }).pipe(
      Effect.catchCause(() => Effect.void),
      Effect.ensuring(Effect.sync(released)),
      Effect.uninterruptible
    )
  }

export const make = <A, E, R>(options: Options): Effect.Effect<LeaseEngine<A, E, R>, never, R> =>
  Effect.gen(function* () {
    const roots = yield* makeRoots<R>()
    const finalize = finalizer(options, roots)

    const build = (slot: Slot<A, E, R>): Effect.Effect<A, E, Scope.Scope> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiber<A, E, Scope.Scope>((fiber) => {
          slot.building = fiber
          const { construction } = slot
          const entryScope = Context.getUnsafe(fiber.context, Scope.Scope)
          const ended = Effect.sync(() => {
            slot.building = undefined
          })
          return Effect.flatMap(Scope.make(), (values) => {
            const lookup = Effect.suspend(construction.lookup).pipe(
              Effect.provideContext(Context.add(roots.context, Scope.Scope, values)),
              roots.asMaker
            )
            return Effect.andThen(
              Scope.addFinalizerExit(entryScope, (exit) => finalize(construction, values, exit)),
              Effect.ensuring(slot.isAbandoned ? Effect.interrupt : restore(lookup), ended)
            )
          })
        })
      )

    const scope = yield* Scope.make()
    const rcMap = yield* Scope.provide(RcMap.make({ lookup: build, idleTimeToLive: 0 }), scope)

    return {
      fork: roots.fork,
      build: (construction) => {
        const slot = new Slot(construction)
        const hold = Scope.makeUnsafe()
        const built = Effect.exit(Effect.andThen(microtask, Scope.provide(RcMap.get(rcMap, slot), hold)))
        roots.fork(Effect.flatMap(built, (exit) => Effect.sync(() => construction.settled(exit))))
        return {
          abandon: () => {
            slot.isAbandoned = true
            slot.building?.interruptUnsafe()
          },
          release: () => void roots.fork(Scope.close(hold, Exit.void))
        }
      },
      close: Scope.close(scope, Exit.void)
    }
  })
