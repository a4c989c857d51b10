/** Fibers that an effect starts. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Supervisor from "effect/Supervisor"

export interface FiberWatch {
  readonly watched: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Descriptions of those still running. */
  readonly running: Effect.Effect<ReadonlyArray<string>>
}

const describe = (fiber: Fiber.RuntimeFiber<unknown, unknown>): string => {
  const { currentSpan } = fiber
  const named = currentSpan?._tag === "Span" ? `, in the span '${currentSpan.name}'` : ""
  return `${FiberId.threadName(fiber.id())}${named}`
}

export const watch: Effect.Effect<FiberWatch> = Effect.map(Supervisor.track, (supervisor) => ({
  watched: (self) => Effect.supervised(self, supervisor),
  running: Effect.map(supervisor.value, (fibers) => fibers.filter((fiber) => fiber.unsafePoll() === null).map(describe))
}))
