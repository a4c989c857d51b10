import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** Number of root fibers. */
export const fibers = (): number => Array.from(Effect.runSync(Fiber.roots)).length
