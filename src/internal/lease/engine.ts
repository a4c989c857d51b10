/**
 * `RcMap` driven by one hand. A key of this RcMap is the slot object itself, compared by identity, so one slot is one
 * construction, and it ends where it began: RcMap never meets the same key twice.
 *
 * RcMap's own steps are not atomic (a fiber may yield between its look-up and its bookkeeping), its timers inherit the
 * FiberRefs of whoever releases, and its finalizers run in whichever fiber comes along. So every step here runs in a
 * root fiber of the map, from start to end without a yield, and outside the async context of the caller.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
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
import { quiet } from "./quietClock.ts"
import { setImmediate } from "../util/timers.ts"

/** One construction: what RcMap knows as a key. */
export abstract class Slot<A, E, R> {
  abstract readonly generation: number
  abstract lookup(): Effect.Effect<A, E, R>
  /** The value is about to be finalized, for whatever reason. At most once. */
  abstract releasing(): void
  /** Its finalizers are done, or out of time. */
  abstract released(): void

  // The engine's own.
  started = false
  abandoned = false
  building: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  /** Our one reference in RcMap, as the effect that gives it back. */
  hold: Effect.Effect<unknown> | undefined = undefined
  /** Gives it back; RcMap may take a moment to set its timer. */
  lettingGo: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  /** Takes that reference once more. */
  again: Effect.Effect<unknown, unknown, Scope.Scope> | undefined = undefined
}

export interface Options {
  readonly name: string
  readonly idleTimeToLive: Duration.DurationInput
  readonly drainTimeout: Duration.DurationInput
}

export interface Engine<A, E, R> {
  readonly clock: Clock.Clock
  /** Runs in a root fiber of the map, synchronously as far as the effect is synchronous. */
  readonly fork: <B, E2>(effect: Effect.Effect<B, E2, R>) => Fiber.RuntimeFiber<B, E2>
  /** Builds the slot's value and holds it. `settled` is called once, never before this returns. */
  readonly start: (slot: Slot<A, E, R>, settled: (exit: Exit.Exit<A, E>) => void) => void
  /** Interrupts a build. It still settles. */
  readonly abandon: (slot: Slot<A, E, R>) => void
  /** Takes the reference of an idle slot, which stops its expiry. False if it has expired. */
  readonly hold: (slot: Slot<A, E, R>) => boolean
  /**
   * Nobody leases it any more. RcMap starts the idle time, or releases if there is none. The former only at the end of
   * this turn of the event loop: who comes back by then, as a loop does, finds the slot still held.
   */
  readonly rest: (slot: Slot<A, E, R>) => void
  /** Releases at once, held or idle. */
  readonly discard: (slot: Slot<A, E, R>) => void
  /** Closes RcMap, and with it whatever is left. */
  readonly close: Effect.Effect<void>
}

type Outside = <A>(f: () => A) => A

/** Effect runs a batch of tasks in the async context of whoever asked first; a value must not keep that one alive. */
const schedulerOutside = (outside: Outside, scheduler: Scheduler.Scheduler): Scheduler.Scheduler => ({
  scheduleTask: (task, priority) => scheduler.scheduleTask(() => outside(task), priority),
  shouldYield: (fiber) => scheduler.shouldYield(fiber)
})

/** Ends `RcMap.get` once it has counted us: what it would wait for, we have. */
const counted = Exit.interrupt(FiberId.none)

export const make = <A, E, R>(options: Options): Effect.Effect<Engine<A, E, R>, never, R> =>
  Effect.gen(function* () {
    // A map made in an uninterruptible region, or by a fiber that is being interrupted, still has builds to interrupt.
    const made = (yield* Effect.runtime<R>()).pipe(
      Runtime.enableRuntimeFlag(RuntimeFlags.Interruption),
      Runtime.setFiberRef(FiberRef.interruptedCause, Cause.empty)
    )
    const outside: Outside = snapshot()
    const budget = FiberRefs.getOrDefault(made.fiberRefs, FiberRef.currentMaxOpsBeforeYield)
    const scheduler = schedulerOutside(outside, FiberRefs.getOrDefault(made.fiberRefs, FiberRef.currentScheduler))
    // For the user's code.
    const runtime = Runtime.setFiberRef(made, FiberRef.currentScheduler, scheduler)
    // For our steps: neither the op budget nor a scheduler of the user's may cut one in two.
    const atomic = made.pipe(
      Runtime.setFiberRef(FiberRef.currentMaxOpsBeforeYield, Number.MAX_SAFE_INTEGER),
      Runtime.setFiberRef(FiberRef.currentScheduler, schedulerOutside(outside, Scheduler.defaultScheduler))
    )
    const scope = yield* Scope.make()
    const clock = yield* Effect.clock
    const idleClock = quiet(clock)

    const fork = <B, E2>(effect: Effect.Effect<B, E2, R>) => outside(() => Runtime.runFork(atomic, effect))

    const warn = (generation: number, ...message: ReadonlyArray<unknown>) =>
      Effect.annotateLogs(Effect.logWarning(...message), { leaseMap: options.name, generation })

    /** Never fails, is never cut short, and returns within the drain timeout. */
    const finalize = (slot: Slot<A, E, R>, values: Scope.CloseableScope, exit: Exit.Exit<unknown, unknown>) =>
      Effect.suspend(() => {
        slot.releasing()
        // A fiber of its own, since what runs out of time must go on without us.
        const closing = outside(() => Runtime.runFork(runtime, Effect.uninterruptible(Scope.close(values, exit))))
        const closed = (exit: Exit.Exit<void>) =>
          Exit.isFailure(exit) ? warn(slot.generation, "a finalizer failed", exit.cause) : Effect.void
        const polled = closing.unsafePoll()
        const waited =
          polled !== null
            ? closed(polled)
            : Effect.flatMap(
                Effect.timeoutOption(Effect.interruptible(Fiber.await(closing)), options.drainTimeout),
                Option.match({
                  onNone: () =>
                    warn(slot.generation, "a finalizer exceeded drainTimeout and continues in the background"),
                  onSome: closed
                })
              )
        return Effect.ensuring(
          Effect.catchAllCause(waited, () => Effect.void),
          Effect.sync(() => slot.released())
        )
      }).pipe(Effect.uninterruptible)

    const build = (slot: Slot<A, E, R>): Effect.Effect<A, E, Scope.Scope> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiberRuntime<A, E, Scope.Scope>((fiber) => {
          if (slot.started) return Effect.dieMessage("a slot is built only once")
          slot.started = true
          slot.building = fiber
          const entryScope = Context.unsafeGet(fiber.currentContext, Scope.Scope)
          return Effect.flatMap(Scope.make(), (values) => {
            const lookup = Effect.suspend(() => slot.lookup()).pipe(
              Effect.provide(Context.add(runtime.context, Scope.Scope, values)),
              Effect.withMaxOpsBeforeYield(budget),
              Effect.withScheduler(scheduler)
            )
            return Effect.zipRight(
              Scope.addFinalizerExit(entryScope, (exit) => finalize(slot, values, exit)),
              Effect.ensuring(
                slot.abandoned ? Effect.interrupt : restore(lookup),
                Effect.sync(() => {
                  slot.building = undefined
                })
              )
            )
          })
        })
      )

    const rcMap = yield* RcMap.make({
      lookup: build,
      idleTimeToLive: options.idleTimeToLive
    }).pipe(Scope.extend(scope))

    // RcMap ends a reference through the scope that it finds. This one only keeps the finalizer for whom we are holding,
    // in place of a scope for each idle time. RcMap counts us before it adds the finalizer and waits for the value after.
    let holding: Slot<A, E, R> | undefined
    const holder: Scope.Scope = Object.assign(yield* Scope.make(), {
      addFinalizer: (finalizer: Scope.Scope.Finalizer) => {
        if (holding !== undefined) holding.hold = finalizer(Exit.void)
        return counted
      }
    })
    const withHolder = Runtime.provideService(atomic, Scope.Scope, holder)

    const pending = (slot: Slot<A, E, R>) => {
      const fiber = slot.lettingGo
      return fiber === undefined || fiber.unsafePoll() !== null ? undefined : Fiber.await(fiber)
    }

    const letGo = (slot: Slot<A, E, R>) => {
      const hold = slot.hold
      if (hold === undefined) return
      slot.hold = undefined
      const idle = Effect.withClock(hold, idleClock)
      // One after the other, since RcMap would set two timers for two at once, and forget one of them.
      const before = pending(slot)
      slot.lettingGo = fork(before === undefined ? idle : Effect.zipRight(before, idle))
    }

    // A test's clock does not wait for the event loop.
    const atOnce = Duration.toMillis(options.idleTimeToLive) === 0 || idleClock === clock
    const resting = new Set<Slot<A, E, R>>()
    const settle = () => {
      for (const slot of resting) letGo(slot)
      resting.clear()
    }

    return {
      clock,
      fork,
      start: (slot, settled) => {
        fork(
          Effect.flatMap(Scope.make(), (hold) => {
            slot.hold = Scope.close(hold, Exit.void)
            return RcMap.get(rcMap, slot).pipe(
              Effect.provideService(Scope.Scope, hold),
              Effect.exit,
              Effect.flatMap((exit) => Effect.sync(() => settled(exit)))
            )
          })
        )
      },
      abandon: (slot) => {
        slot.abandoned = true
        slot.building?.unsafeInterruptAsFork(FiberId.none)
      },
      hold: (slot) => {
        if (resting.delete(slot)) return true
        // Asking first: RcMap would build a slot anew that it has let expire.
        slot.again ??= Effect.flatMap(RcMap.has(rcMap, slot), (has) => (has ? RcMap.get(rcMap, slot) : Effect.void))
        const again = slot.again
        holding = slot
        outside(() => Runtime.runFork(withHolder, again))
        holding = undefined
        return slot.hold !== undefined
      },
      rest: (slot) => {
        if (atOnce) return letGo(slot)
        if (resting.size === 0) setImmediate(settle)
        resting.add(slot)
      },
      discard: (slot) => {
        resting.delete(slot)
        // RcMap closes at once only what nobody holds, and stops only a timer that it has set.
        letGo(slot)
        const invalidate = RcMap.invalidate(rcMap, slot)
        const before = pending(slot)
        fork(before === undefined ? invalidate : Effect.zipRight(before, invalidate))
      },
      close: Scope.close(scope, Exit.void)
    }
  })
