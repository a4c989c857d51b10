/** Signals while a run goes on: the first drains it, the second stops it, and the third ends the process. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { performance } from "../../internal/util/timers.ts"
import { EXIT, type ExitCode } from "../exit.ts"

export interface Interrupts {
  /** Ends with the first signal. */
  readonly drain: Effect.Effect<void>
  /** Ends with the second. */
  readonly stop: Effect.Effect<void>
  /** The exit code of the first signal; `undefined` before it. */
  readonly exitCode: () => ExitCode | undefined
}

/** Milliseconds in which signals count as one: a terminal sends Ctrl-C to npx and to its child, and npx passes it on as well. */
export const SAME_PRESS_MS = 500

const CODES = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const

/** Listens for the rest of the process, so that a signal never ends it before the results are written. */
export const listen: Effect.Effect<Interrupts> = Effect.gen(function* () {
  const drain = yield* Deferred.make<void>()
  const stop = yield* Deferred.make<void>()
  const presses = [() => Deferred.unsafeDone(drain, Effect.void), () => Deferred.unsafeDone(stop, Effect.void)]
  let exitCode: ExitCode | undefined
  let countedAt = -Infinity
  const onSignal = (code: ExitCode) => () => {
    if (performance.now() - countedAt < SAME_PRESS_MS) return
    countedAt = performance.now()
    exitCode ??= code
    const press = presses.shift()
    if (press === undefined) process.exit(exitCode)
    press()
  }
  for (const [signal, code] of Object.entries(CODES)) process.on(signal, onSignal(code))
  return { drain: Deferred.await(drain), stop: Deferred.await(stop), exitCode: () => exitCode }
})
