/**
 * The service that effect/ai makes of a provider's two functions, with a shorter way for text without tools, the most
 * common request of agents: the same span and the same answer, without schemas that are put together anew for each
 * call. Tools' spans omit their parameters.
 */
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import { ResponseIdTracker } from "effect/ai/ResponseIdTracker"
import { CurrentSpanTransformer, type SpanTransformer } from "effect/ai/Telemetry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Span } from "effect/Tracer"
import { type Part, part } from "./decoded.ts"
import { codecTransformer } from "./jsonSchemas.ts"
import { untold } from "./tools.ts"

type Params = Parameters<typeof LanguageModel.make>[0]

/**
 * A provider's two functions. Unlike the ones that effect/ai takes, `generateText` needs no context, as the span is
 * among its options.
 */
export interface Provider extends Params {
  readonly generateText: (
    options: LanguageModel.ProviderOptions
  ) => Effect.Effect<Array<Response.PartEncoded>, AiError.AiError>
}

type Asking = LanguageModel.GenerateTextOptions<never>

const quietly = <T extends Asking>(options: T): T =>
  options.toolkit === undefined ? options : { ...options, toolkit: untold(options.toolkit as never) }

const isPart = (one: Part | undefined): one is Part => one !== undefined

/** True if calls of tools may wait for an answer of a person, which effect/ai reports without tools. */
const asksApproval = ({ content }: Prompt.Prompt): boolean =>
  content.some(
    (message) => message.role === "assistant" && message.content.some(({ type }) => type === "tool-approval-request")
  )

const annotate = (span: Span, { concurrency = "unbounded", toolChoice = "auto" }: Asking): void => {
  span.attribute("gen_ai.output.type", "text")
  span.attribute("effect.ai.tool_choice", typeof toolChoice === "string" ? toolChoice : JSON.stringify(toolChoice))
  span.attribute("effect.ai.concurrency", concurrency)
}

/** Text of a provider, without tools. */
const textOf =
  (provider: Provider, outer: Context.Context<never>) =>
  (
    options: Asking,
    prompt: Prompt.Prompt,
    context: Context.Context<never>
  ): Effect.Effect<LanguageModel.GenerateTextResponse<Record<never, never>>, AiError.AiError> =>
    Effect.useSpan("LanguageModel.generateText", { kind: "client" }, (span) => {
      annotate(span, options)
      const asked: LanguageModel.ProviderOptions = {
        prompt,
        tools: [],
        toolChoice: "none",
        responseFormat: { type: "text" },
        span,
        previousResponseId: undefined,
        incrementalPrompt: undefined
      }
      return Effect.map(provider.generateText(asked), (parts) => {
        const content = parts.map(part).filter(isPart)
        const transform = transformer(context, outer)
        if (transform !== undefined) transform({ ...asked, response: content })
        return new LanguageModel.GenerateTextResponse<Record<never, never>>(content)
      })
    })

export const make = (provider: Provider): Effect.Effect<LanguageModel.LanguageModel> =>
  Effect.contextWith((outer: Context.Context<never>) => {
    const text = textOf(provider, outer)
    return Effect.map(LanguageModel.make({ ...provider, codecTransformer }), (service) => {
      const { generateObject, generateText, streamText } = service as unknown as Readonly<
        Record<"generateObject" | "generateText", (options: Asking) => Effect.Effect<unknown, unknown>> &
          Record<"streamText", (options: Asking) => unknown>
      >
      // Callers' types describe the options; these functions accept any.
      return {
        ...service,
        generateText: (options: Asking) =>
          options.toolkit !== undefined
            ? generateText(quietly(options))
            : Effect.contextWith((context: Context.Context<never>) => {
                const prompt = Prompt.make(options.prompt)
                return asksApproval(prompt) || Option.isSome(Context.getOption(context, ResponseIdTracker))
                  ? generateText(options)
                  : text(options, prompt, context)
              }),
        generateObject: (options: Asking) => generateObject(quietly(options)),
        streamText: (options: Asking) => streamText(quietly(options))
      } as LanguageModel.LanguageModel
    })
  })

const transformer = (context: Context.Context<never>, outer: Context.Context<never>): SpanTransformer | undefined =>
  Option.getOrUndefined(
    Option.orElse(Context.getOption(context, CurrentSpanTransformer), () =>
      Context.getOption(outer, CurrentSpanTransformer)
    )
  )
