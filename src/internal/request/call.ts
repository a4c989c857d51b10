/** Runs what a caller does with a client: errors become ours, interruption aborts what is under way. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import type { AnySpan } from "effect/Tracer"
import type { ClientError } from "../../ClientError.ts"
import * as Spans from "../telemetry/effectSpans.ts"
import * as CallContext from "./callContext.ts"
import * as Failure from "./errors/fromSdk.ts"
import type { Start } from "./startQueue.ts"

/** A callback to run. */
export interface Callback<A> {
  readonly place: Failure.ErrorOrigin
  readonly fiber: RuntimeFiber<unknown, unknown>
  readonly f: (signal: AbortSignal) => PromiseLike<A>
  /** Records its attempts, and is the parent of its requests. @default the span of the fiber */
  readonly span?: AnySpan | undefined
  /** @default its first request waits like any other */
  readonly start?: Start | undefined
}

/** Runs a callback within its context. Calls `ended` once, perhaps at once. The result aborts its requests. */
export const run = <A>(callback: Callback<A>, ended: (exit: Exit.Exit<A, ClientError>) => void): (() => void) => {
  const { f, fiber, place, span, start } = callback
  const controller = new AbortController()
  const { signal } = controller
  const around = span ?? fiber.currentSpan
  const context = CallContext.make(signal, around, Spans.tracing(fiber, around), start)
  const failed = (thrown: unknown): void => {
    CallContext.settled(context, undefined)
    ended(Exit.fail(Failure.fromThrown(place, thrown, context)))
  }
  const answered = (result: A): void => {
    CallContext.settled(context, result)
    ended(Exit.succeed(result))
  }
  const within = () => CallContext.run(context, () => f(signal))
  try {
    const running = span === undefined ? within() : Spans.within(fiber, span, within)
    running.then(answered, failed)
  } catch (thrown) {
    failed(thrown)
  }
  return () => controller.abort()
}

/** `span` is that of `Callback`. */
export const promise = <A>(
  place: Failure.ErrorOrigin,
  f: (signal: AbortSignal) => PromiseLike<A>,
  span?: AnySpan
): Effect.Effect<A, ClientError> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.async((resume) => {
      const abort = run({ place, fiber, f, span }, resume)
      return Effect.sync(abort)
    })
  )
