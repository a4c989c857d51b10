import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { MixedScheduler } from "effect/Scheduler"

/** Starts a fiber and runs it until it waits for something other than its turn, before this returns. */
export const startNow = <A, E>(fork: (options: Effect.RunOptions) => Fiber.Fiber<A, E>): Fiber.Fiber<A, E> => {
  const fiber = fork({ scheduler: new MixedScheduler("sync") })
  fiber.currentDispatcher.flush()
  return fiber
}
