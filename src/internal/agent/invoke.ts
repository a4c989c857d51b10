/** Spans and metrics of agents, by the conventions for generative AI (OpenTelemetry, "Gen AI agent spans"). */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { RecordContent } from "../telemetry/content.ts"
import { errorType } from "../telemetry/errorType.ts"
import * as GenAi from "../telemetry/genAi.ts"
import * as RedactSpan from "../telemetry/redactSpan.ts"
import { performance } from "../util/timers.ts"

export const make = (name: string, description: string | undefined) => {
  const { duration } = GenAi.make({ operation: "invoke_agent", agent: name })
  const attributes = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": name,
    ...(description !== undefined && { "gen_ai.agent.description": description })
  }
  return <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.useSpan(`invoke_agent ${name}`, { attributes, captureStackTrace: false }, (span) =>
      Effect.suspend(() => {
        const since = performance.now()
        return Effect.onExit(Effect.withParentSpan(run, span), (exit) => {
          const failed = Exit.isFailure(exit) ? errorType(exit.cause) : undefined
          duration((performance.now() - since) / 1_000, failed)
          if (failed === undefined) return Effect.void
          span.attribute("error.type", failed)
          return Effect.map(RecordContent, (isWanted) => {
            if (!isWanted) RedactSpan.quoted(span)
          })
        })
      })
    )
}
