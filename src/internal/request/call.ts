/** Runs what a caller does with a client: errors become ours, interruption aborts what is under way. */
import * as Effect from "effect/Effect"
import type { AnySpan } from "effect/Tracer"
import type { ClientError } from "../../ClientError.ts"
import * as CallContext from "./callContext.ts"
import * as Failure from "./errors/fromSdk.ts"
import * as Spans from "../telemetry/effectSpans.ts"

/** `span` records its attempts, and is the parent of its requests. @default the span of the fiber */
export const promise = <A>(
  place: Failure.ErrorOrigin,
  f: (signal: AbortSignal) => PromiseLike<A>,
  span?: AnySpan
): Effect.Effect<A, ClientError> =>
  Effect.withFiberRuntime((fiber) => {
    let context: CallContext.CallContext | undefined
    return Effect.tryPromise({
      try: (signal) => {
        const around = span ?? fiber.currentSpan
        const own = (context = CallContext.make(signal, around, Spans.tracing(fiber, around)))
        const run = () => CallContext.run(own, () => f(signal))
        return (span === undefined ? run() : Spans.within(fiber, span, run)).then((result) => {
          CallContext.settled(own, result)
          return result
        })
      },
      catch: (thrown) => {
        if (context !== undefined) CallContext.settled(context, undefined)
        return Failure.fromThrown(place, thrown, context)
      }
    })
  })
