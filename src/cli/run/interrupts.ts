/** Signals while a run goes on: the first drains it, the second stops it at once. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
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
const SAME_PRESS_MS = 500

const CODES = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const

export const listen: Effect.Effect<Interrupts, never, Scope.Scope> = Effect.gen(function* () {
  const drain = yield* Deferred.make<void>()
  const stop = yield* Deferred.make<void>()
  let first: ExitCode | undefined
  let firstAt = 0
  const onSignal = (signal: NodeJS.Signals) => {
    if (first === undefined) {
      first = CODES[signal as keyof typeof CODES]
      firstAt = performance.now()
      Deferred.unsafeDone(drain, Effect.void)
    } else if (performance.now() - firstAt > SAME_PRESS_MS) Deferred.unsafeDone(stop, Effect.void)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      for (const signal of Object.keys(CODES)) process.on(signal, onSignal)
    }),
    () =>
      Effect.sync(() => {
        for (const signal of Object.keys(CODES)) process.off(signal, onSignal)
      })
  )
  return { drain: Deferred.await(drain), stop: Deferred.await(stop), exitCode: () => first }
})
