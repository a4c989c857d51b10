/**
 * Tools with a span for each call, which omits its parameters unless content is enabled: effect/ai makes none, and writes
 * the parameters into the span around.
 */
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Span } from "effect/Tracer"
import { RecordContent } from "../telemetry/content.ts"
import * as RedactSpan from "../telemetry/redactSpan.ts"

const HANDLE = "Toolkit.handle"
/** Name in effect/ai of the attribute with the parameters. */
const PARAMETERS = "parameters"

const hush = (span: Span): void => {
  const attribute = span.attribute.bind(span)
  span.attribute = (key, value) => {
    if (key !== PARAMETERS) attribute(key, value)
  }
  RedactSpan.redactFailures(span)
}

type Handled = Toolkit.WithHandler<Record<string, Tool.Any>>

/** The span ends as the results do. */
const one = ({ handle, tools }: Handled): Handled => ({
  tools,
  handle: (...call) =>
    Effect.succeed(
      Stream.unwrap(
        Effect.gen(function* () {
          const isWanted = yield* RecordContent
          const span = yield* Effect.makeSpanScoped(HANDLE)
          if (!isWanted) hush(span)
          return yield* Effect.withParentSpan(handle(...call), span)
        })
      )
    )
})

/** The same tools. */
export const untold = <T extends Handled | Effect.Effect<Handled, unknown, unknown>>(toolkit: T): T =>
  (Effect.isEffect(toolkit) ? Effect.map(toolkit, one) : one(toolkit)) as T
