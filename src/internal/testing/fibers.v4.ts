/** Fibers that an effect starts. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

export interface FiberWatch {
  readonly watched: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Descriptions of those still running. */
  readonly running: Effect.Effect<ReadonlyArray<string>>
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

const describe = (fiber: AnyFiber): string => {
  const { span } = fiber.cache
  return `#${fiber.id}${span?._tag === "Span" ? `, in the span '${span.name}'` : ""}`
}

/** Effect 4 has no supervisors. Its scheduler is asked before each step of each fiber, and so meets them all. */
const noting = (scheduler: Scheduler.Scheduler, fibers: Set<AnyFiber>): Scheduler.Scheduler => ({
  executionMode: scheduler.executionMode,
  makeDispatcher: () => scheduler.makeDispatcher(),
  shouldYield: (fiber) => {
    fibers.add(fiber)
    return scheduler.shouldYield(fiber)
  }
})

export const watch: Effect.Effect<FiberWatch> = Effect.map(
  Effect.all([Effect.fiber, Scheduler.Scheduler]),
  ([own, scheduler]) => {
    const fibers = new Set<AnyFiber>()
    const noter = noting(scheduler, fibers)
    return {
      watched: (self) => Effect.provideService(self, Scheduler.Scheduler, noter),
      running: Effect.sync(() =>
        [...fibers].filter((fiber) => fiber !== own && fiber.pollUnsafe() === undefined).map(describe)
      )
    }
  }
)
