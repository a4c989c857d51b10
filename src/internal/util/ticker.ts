/**
 * Time for what waits without a fiber of its own: the queues of quotas, and the pauses between attempts. It follows the
 * effect Clock of the layer, so that a test's clock moves it too, and costs nothing more than `setTimeout` otherwise.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Date, MAX_TIMEOUT_MS, clearTimeout, performance, setTimeout } from "./timers.ts"

/**
 * Rest of a wait, in milliseconds. Clocks count in floating point, so a timer may end a trifle before the wait that it
 * is for: then the rest is 0.
 */
export const remaining = (ms: number): number => (ms < 1e-3 ? 0 : ms)

export interface Ticker {
  /** Milliseconds, monotonic, from any start. */
  readonly now: () => number
  /** Milliseconds since 1970, for dates. */
  readonly date: () => number
  /** Runs `f` once, not before `ms` have passed. The result cancels it. A process waits for it, unless `holds` is false. */
  readonly after: (ms: number, f: () => void, holds?: boolean) => () => void
  /** By how many milliseconds timers may be late without any fault: event loops are busy at times. */
  readonly lateness: number
}

/** The process's own clock. */
export const live: Ticker = {
  now: () => performance.now(),
  date: () => Date.now(),
  after: (ms, f, holds = true) => {
    const timer = setTimeout(f, Math.min(MAX_TIMEOUT_MS, Math.ceil(ms)))
    if (!holds) timer.unref()
    return () => clearTimeout(timer)
  },
  lateness: 200
}

/** A clock of a test: its timers are exactly on time, and like others never before `after` has returned. */
const of = (clock: Clock.Clock): Ticker => ({
  now: () => clock.unsafeCurrentTimeMillis(),
  date: () => clock.unsafeCurrentTimeMillis(),
  after: (ms, f) => {
    const passed = Effect.andThen(clock.sleep(Duration.millis(ms)), Effect.yieldNow())
    const fiber = Effect.runFork(Effect.andThen(passed, Effect.sync(f)))
    return () => fiber.unsafeInterruptAsFork(fiber.id())
  },
  lateness: 0
})

const isLive = (clock: Clock.Clock): boolean => clock === Context.get(DefaultServices.liveServices, Clock.Clock)

/** Ticker of the fiber's clock. */
export const current: Effect.Effect<Ticker> = Effect.clockWith((clock) =>
  Effect.succeed(isLive(clock) ? live : of(clock))
)

/** Sleeps by the fiber's clock, which is the process's own where `Effect.sleep` would ask the globals. */
export const pause = (ms: number): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    isLive(clock)
      ? Effect.async((resume) => {
          const cancel = live.after(ms, () => resume(Effect.void))
          return Effect.sync(cancel)
        })
      : clock.sleep(Duration.millis(ms))
  )

/** Rejects with the signal's reason as soon as it aborts. */
export const sleep = (ticker: Ticker, ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const cancel = ticker.after(ms, () => {
      signal?.removeEventListener("abort", aborted)
      resolve()
    })
    const aborted = (): void => {
      cancel()
      reject(signal!.reason as Error)
    }
    signal?.addEventListener("abort", aborted, { once: true })
  })
