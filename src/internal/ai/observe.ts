/**
 * Telemetry of a model call: a span `chat {model}` of kind client, the duration, the tokens used, and the time to a
 * stream's first chunk. Prompts and answers are omitted, unless `Telemetry.withContent` adds them.
 */
import type { AiError } from "@effect/ai/AiError"
import type { IdGenerator } from "@effect/ai/IdGenerator"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { ParentSpan, type Span } from "effect/Tracer"
import { RecordContent } from "../telemetry/content.ts"
import { errorType } from "../telemetry/errorType.ts"
import * as GenAi from "../telemetry/genAi.ts"
import { setList } from "../telemetry/lists.ts"
import { serverOf } from "../telemetry/requests.ts"
import * as RedactSpan from "../telemetry/redactSpan.ts"
import { performance } from "../util/timers.ts"
import { wordOf } from "./finish.ts"
import { countsOf } from "./usage.ts"

export interface ModelEndpoint {
  readonly provider: string
  readonly model: string
  readonly baseURL: string
}

type Streamed = Stream.Stream<Response.StreamPartEncoded, AiError, IdGenerator>

type Parts = ReadonlyArray<Response.PartEncoded | Response.StreamPartEncoded>

/**
 * Records the prompt if content is wanted. Otherwise redacts failures in the span that @effect/ai has around ours: they
 * may still follow a response that tools or a schema have to decode.
 */
const asked = (
  span: Span,
  { prompt, responseFormat, span: around, tools }: LanguageModel.ProviderOptions
): Effect.Effect<void> =>
  Effect.map(RecordContent, (isWanted) => {
    if (isWanted) span.attribute("gen_ai.input.messages", JSON.stringify(prompt.content))
    else if (tools.length > 0 || responseFormat.type === "json") RedactSpan.redactFailures(around)
  })

/** Redacts failure messages from both spans, unless content is wanted. */
const untold = (span: Span, { span: around }: LanguageModel.ProviderOptions): Effect.Effect<void> =>
  Effect.map(RecordContent, (isWanted) => {
    if (isWanted) return
    RedactSpan.redactFailures(span)
    RedactSpan.redactFailures(around)
  })

type Metrics = ReturnType<typeof GenAi.make>

const record = (metrics: Metrics, span: Span, parts: Parts): void => {
  for (const part of parts) {
    if (part.type === "response-metadata") {
      if (part.id !== undefined) span.attribute("gen_ai.response.id", part.id)
      if (part.modelId !== undefined) span.attribute("gen_ai.response.model", part.modelId)
    }
    if (part.type !== "finish") continue
    const { inputTokens, outputTokens } = countsOf(part.usage)
    setList(span, "gen_ai.response.finish_reasons", [wordOf(part)])
    if (inputTokens !== undefined) {
      span.attribute("gen_ai.usage.input_tokens", inputTokens)
      metrics.tokens("input", inputTokens)
    }
    if (outputTokens !== undefined) {
      span.attribute("gen_ai.usage.output_tokens", outputTokens)
      metrics.tokens("output", outputTokens)
    }
  }
}

const ended =
  (metrics: Metrics, span: Span, of: LanguageModel.ProviderOptions, since: number) =>
  (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    const failed = Exit.isFailure(exit) ? errorType(exit.cause) : undefined
    metrics.duration((performance.now() - since) / 1_000, failed)
    if (failed === undefined) return Effect.void
    span.attribute("error.type", failed)
    return untold(span, of)
  }

export const make = ({ baseURL, model, provider }: ModelEndpoint) => {
  const { address, port } = serverOf(baseURL)
  const name = GenAi.providerName(provider, address)
  const metrics = GenAi.make({ operation: "chat", provider: name, model })
  const attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": name,
    "gen_ai.request.model": model,
    "server.address": address,
    "server.port": port
  }
  const options = { kind: "client" as const, captureStackTrace: false, attributes }

  return {
    /** `run` is handed its span: to make it that of the fiber costs more than all else here. */
    whole: (
      of: LanguageModel.ProviderOptions,
      run: (span: Span) => Effect.Effect<Array<Response.PartEncoded>, AiError>
    ): Effect.Effect<Array<Response.PartEncoded>, AiError> =>
      Effect.useSpan(`chat ${model}`, { ...options, parent: of.span }, (span) => {
        const since = performance.now()
        return Effect.onExit(Effect.zipRight(asked(span, of), run(span)), (exit) => {
          if (Exit.isSuccess(exit)) record(metrics, span, exit.value)
          return ended(metrics, span, of, since)(exit)
        })
      }),
    stream: (of: LanguageModel.ProviderOptions, run: Streamed): Streamed =>
      Stream.unwrapScoped(
        Effect.map(Effect.makeSpanScoped(`chat ${model}`, { ...options, parent: of.span }), (span): Streamed => {
          const since = performance.now()
          let isFirst = true
          const seen = Stream.mapChunks(run, (chunk) => {
            if (isFirst) metrics.firstChunk((performance.now() - since) / 1_000)
            isFirst = false
            record(metrics, span, [...chunk])
            return chunk
          })
          const within: Streamed = Stream.provideService(seen, ParentSpan, span)
          // Spans of streams may end before what is ensured of them.
          const begun = Effect.zipRight(asked(span, of), untold(span, of))
          return Stream.unwrap(Effect.as(begun, Stream.ensuringWith(within, ended(metrics, span, of, since))))
        })
      )
  }
}
