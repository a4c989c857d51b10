import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"

/** While it runs the test's clock goes as fast as it can. */
export const hurried = <A, E, R>(effect: Effect.Effect<A, E, R>, step = 100) =>
  Effect.raceFirst(
    effect,
    Effect.forever(Effect.zipRight(TestClock.adjust(step), TestServices.provideLive(Effect.sleep(1))))
  )
