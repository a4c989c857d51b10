/**
 * A clock whose timers do not keep the process alive: waiting out an idle time is no work. A script that has done its
 * work exits at once, whether or not it has closed the map.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { isLive } from "../util/ticker.ts"
import { MAX_TIMEOUT_MS, clearTimeout, setTimeout } from "../util/timers.ts"

const sleep = (duration: Duration.Duration): Effect.Effect<void> =>
  Effect.async((resume) => {
    const ms = Duration.toMillis(duration)
    if (ms > MAX_TIMEOUT_MS) return
    const timer = setTimeout(() => resume(Effect.void), ms).unref()
    return Effect.sync(() => clearTimeout(timer))
  })

/** A clock of a test, or of the user's own, stays as it is. */
export const quiet = (clock: Clock.Clock): Clock.Clock =>
  !isLive(clock)
    ? clock
    : {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanos: clock.currentTimeNanos,
        sleep
      }
