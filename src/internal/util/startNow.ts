import type * as Fiber from "effect/Fiber"
import type * as Runtime from "effect/Runtime"
import { SyncScheduler } from "effect/Scheduler"

/** Starts a fiber and runs it until it waits for something other than its turn, before this returns. */
export const startNow = <A, E>(
  fork: (options: Runtime.RunForkOptions) => Fiber.RuntimeFiber<A, E>
): Fiber.RuntimeFiber<A, E> => {
  const scheduler = new SyncScheduler()
  const fiber = fork({ scheduler })
  scheduler.flush()
  return fiber
}
