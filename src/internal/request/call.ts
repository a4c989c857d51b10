/** Runs what a caller does with a client: errors become ours, interruption aborts what is under way. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { AnySpan } from "effect/Tracer"
import type { ClientError } from "../../ClientError.ts"
import * as Spans from "../telemetry/effectSpans.ts"
import type { Abort, StartedCall, Work } from "./agentCall.ts"
import * as CallContext from "./callContext.ts"
import * as Failure from "./errors/fromSdk.ts"

/** A callback to run. */
interface Callback<A> extends StartedCall {
  readonly f: (signal: AbortSignal) => PromiseLike<A>
  /** Records its attempts, and is the parent of its requests. @default the span of the fiber */
  readonly span?: AnySpan | undefined
}

/** Runs a callback within its context. Calls `ended` once, perhaps at once. */
const run = <A>(callback: Callback<A>, ended: (exit: Exit.Exit<A, ClientError>) => void): Abort => {
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
  return () => {
    controller.abort()
    return Effect.void
  }
}

type Use<A> = (client: unknown, signal: AbortSignal) => PromiseLike<A>

/** Callbacks that get a client. */
const work: Work<Use<unknown>, unknown> = {
  begin: (f, { client }, { fiber, place, start }, ended) =>
    run({ place, fiber, start, f: (signal) => f(client, signal) }, ended)
}

/** `Client` is that of the provider through which it is asked for. */
export const workOf = <Client, A>() => work as Work<(client: Client, signal: AbortSignal) => PromiseLike<A>, A>

/** `span` is that of `Callback`. */
export const promise = <A>(
  place: Failure.ErrorOrigin,
  f: (signal: AbortSignal) => PromiseLike<A>,
  span?: AnySpan
): Effect.Effect<A, ClientError> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.async((resume) => {
      const abort = run({ place, fiber, f, span }, resume)
      return Effect.suspend(abort)
    })
  )
