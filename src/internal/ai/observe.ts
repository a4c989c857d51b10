/**
 * Telemetry of a model call: a span `chat {model}` of kind client, the duration, the tokens used, and the time to a
 * stream's first chunk. Prompts and answers are omitted, unless `Telemetry.withContent` adds them.
 */
import type { AiError } from "@effect/ai/AiError"
import type { IdGenerator } from "@effect/ai/IdGenerator"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as Stream from "effect/Stream"
import { ParentSpan, type Span } from "effect/Tracer"
import { RecordContent } from "../telemetry/content.ts"
import * as Spans from "../telemetry/effectSpans.ts"
import { errorType } from "../telemetry/errorType.ts"
import * as GenAi from "../telemetry/genAi.ts"
import type { LateSpan } from "../telemetry/lateSpan.ts"
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

type Fiber = RuntimeFiber<unknown, unknown>

type Streamed = Stream.Stream<Response.StreamPartEncoded, AiError, IdGenerator>

type Parts = ReadonlyArray<Response.PartEncoded | Response.StreamPartEncoded>

const wantsContent = (fiber: Fiber): boolean =>
  Context.get(fiber.currentContext as Context.Context<never>, RecordContent)

/**
 * Records the prompt if content is wanted. Otherwise redacts failures in the span that @effect/ai has around ours: they
 * may still follow a response that tools or a schema have to decode.
 */
const asked = (
  fiber: Fiber,
  span: Span,
  { prompt, responseFormat, span: around, tools }: LanguageModel.ProviderOptions
): void => {
  if (wantsContent(fiber)) span.attribute("gen_ai.input.messages", JSON.stringify(prompt.content))
  else if (tools.length > 0 || responseFormat.type === "json") RedactSpan.redactFailures(around)
}

/** Redacts failure messages from both spans, unless content is wanted. */
const untold = (fiber: Fiber, span: Span, { span: around }: LanguageModel.ProviderOptions): void => {
  if (wantsContent(fiber)) return
  RedactSpan.redactFailures(span)
  RedactSpan.redactFailures(around)
}

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

interface Observed {
  readonly metrics: Metrics
  readonly span: LateSpan
}

type Exited = Exit.Exit<unknown, unknown>

/** Records the end of a call that began at `since`, whose span ends after that. */
const ended = (
  { metrics }: Observed,
  fiber: Fiber,
  [span, of]: readonly [Span, LanguageModel.ProviderOptions],
  since: number,
  exit: Exited
): void => {
  const failed = Exit.isFailure(exit) ? errorType(exit.cause) : undefined
  metrics.duration((performance.now() - since) / 1_000, failed)
  if (failed === undefined) return
  span.attribute("error.type", failed)
  untold(fiber, span, of)
}

/** A call for a whole answer. Its span is made when it is sent, or has ended, as of its beginning: it may wait in line. */
class ObservedCall {
  readonly #observed: Observed
  readonly #fiber: Fiber
  readonly #time: bigint
  readonly #since = performance.now()
  #span: Span | undefined

  constructor(observed: Observed, fiber: Fiber) {
    this.#observed = observed
    this.#fiber = fiber
    this.#time = Spans.now(fiber)
  }

  /** Returns its span. To make that the span of the fiber costs more than all else here. */
  sent(of: LanguageModel.ProviderOptions): Span {
    if (this.#span !== undefined) return this.#span
    const span = Spans.startAt(this.#fiber, this.#time, { ...this.#observed.span, parent: of.span })
    this.#span = span
    asked(this.#fiber, span, of)
    return span
  }

  answered(parts: Parts): void {
    if (this.#span !== undefined) record(this.#observed.metrics, this.#span, parts)
  }

  end(of: LanguageModel.ProviderOptions, exit: Exited): void {
    const span = this.sent(of)
    ended(this.#observed, this.#fiber, [span, of], this.#since, exit)
    Spans.end(this.#fiber, span, exit)
  }
}

const streamed = (observed: Observed, of: LanguageModel.ProviderOptions, run: Streamed): Streamed => {
  const { metrics, span } = observed
  const { name, ...options } = { ...span, captureStackTrace: false as const, parent: of.span }
  return Stream.unwrapScoped(
    Effect.flatMap(Effect.makeSpanScoped(name, options), (span) =>
      Effect.withFiberRuntime((fiber): Effect.Effect<Streamed> => {
        const since = performance.now()
        let isFirst = true
        const seen = Stream.mapChunks(run, (chunk) => {
          if (isFirst) metrics.firstChunk((performance.now() - since) / 1_000)
          isFirst = false
          record(metrics, span, [...chunk])
          return chunk
        })
        const within: Streamed = Stream.provideService(seen, ParentSpan, span)
        asked(fiber, span, of)
        // Spans of streams may end before what is ensured of them.
        untold(fiber, span, of)
        const end = (exit: Exited) => Effect.sync(() => ended(observed, fiber, [span, of], since, exit))
        return Effect.succeed(Stream.ensuringWith(within, end))
      })
    )
  )
}

export const make = ({ baseURL, model, provider }: ModelEndpoint) => {
  const { address, port } = serverOf(baseURL)
  const name = GenAi.providerName(provider, address)
  const observed: Observed = {
    metrics: GenAi.make({ operation: "chat", provider: name, model }),
    span: {
      name: `chat ${model}`,
      kind: "client",
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": name,
        "gen_ai.request.model": model,
        "server.address": address,
        "server.port": port
      }
    }
  }
  return {
    whole: (fiber: Fiber) => new ObservedCall(observed, fiber),
    stream: (of: LanguageModel.ProviderOptions, run: Streamed): Streamed => streamed(observed, of, run)
  }
}
