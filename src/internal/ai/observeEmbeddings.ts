/**
 * Telemetry of an embeddings request: a span `embeddings {model}` of kind client, the duration, and the tokens used. A
 * request may serve several callers: its span is a child of the first caller's, and linked to those of the others.
 */
import type { AiError } from "@effect/ai/AiError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Span, SpanLink, Tracer } from "effect/Tracer"
import { errorType } from "../telemetry/errorType.ts"
import * as GenAi from "../telemetry/genAi.ts"
import { serverOf } from "../telemetry/requests.ts"
import * as RedactSpan from "../telemetry/redactSpan.ts"
import { property } from "../util/json.ts"
import type { ModelEndpoint } from "./observe.ts"
import { performance } from "../util/timers.ts"

/** A caller's span and tracer. */
export interface Asker {
  readonly span: Span
  readonly tracer: Tracer
}

const linkTo = ({ span }: Asker): SpanLink => {
  const link = { _tag: "SpanLink" as const, span, attributes: {} }
  return link
}

export const make = ({ baseURL, model, provider }: ModelEndpoint) => {
  const { address, port } = serverOf(baseURL)
  const name = GenAi.providerName(provider, address)
  const { duration, tokens } = GenAi.make({ operation: "embeddings", provider: name, model })
  const attributes = {
    "gen_ai.operation.name": "embeddings",
    "gen_ai.provider.name": name,
    "gen_ai.request.model": model,
    "server.address": address,
    "server.port": port
  }

  const told = (span: Span, said: unknown): void => {
    const by = property(said, "model")
    const input = property(property(said, "usage"), "prompt_tokens")
    if (typeof by === "string") span.attribute("gen_ai.response.model", by)
    if (typeof input !== "number") return
    span.attribute("gen_ai.usage.input_tokens", input)
    tokens("input", input)
  }

  /** `run` is handed its span. */
  return (
    askers: ReadonlyArray<Asker>,
    run: (span: Span) => Effect.Effect<unknown, AiError>
  ): Effect.Effect<unknown, AiError> => {
    const [first, ...others] = askers
    const options = { kind: "client" as const, captureStackTrace: false, attributes, links: others.map(linkTo) }
    const spanned = Effect.useSpan(
      `embeddings ${model}`,
      first === undefined ? options : { ...options, parent: first.span },
      (span) => {
        const since = performance.now()
        return Effect.onExit(run(span), (exit) =>
          Effect.sync(() => {
            const failed = Exit.isFailure(exit) ? errorType(exit.cause) : undefined
            duration((performance.now() - since) / 1_000, failed)
            if (Exit.isSuccess(exit)) return told(span, exit.value)
            span.attribute("error.type", failed)
            // Callers have the text in their own spans, by their own `Telemetry.withContent`.
            RedactSpan.redactFailures(span)
          })
        )
      }
    )
    return first === undefined ? spanned : Effect.withTracer(spanned, first.tracer)
  }
}
