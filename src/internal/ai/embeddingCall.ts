/** A caller's question for vectors, in a span of its own. */
import type * as AiError from "@effect/ai/AiError"
import * as Effect from "effect/Effect"
import { RecordContent } from "../telemetry/content.ts"
import * as RedactSpan from "../telemetry/redactSpan.ts"
import type { AskBatch } from "./gather.ts"
import type { Asker } from "./observeEmbeddings.ts"

export type Vector = Array<number>

export type Ask = AskBatch<Vector, AiError.AiError, Asker>

export const spanned = <A, E>(name: string, self: (by: Asker) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.useSpan(name, { captureStackTrace: false }, (span) =>
    Effect.flatMap(RecordContent, (isWanted) => {
      if (!isWanted) RedactSpan.redactFailures(span)
      return Effect.flatMap(Effect.tracer, (tracer) => self({ span, tracer }))
    })
  )
