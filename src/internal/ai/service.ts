/**
 * The service that @effect/ai makes of a provider's two functions, with a shorter way for text without tools, the most
 * common request of agents: the same span and the same answer, without schemas that are put together anew for each
 * call. Tools' spans omit their parameters.
 */
import type * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import { CurrentSpanTransformer, type SpanTransformer } from "@effect/ai/Telemetry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Part, part } from "./decoded.ts"
import { untold } from "./tools.ts"

type Tools = Record<never, never>

type Asking = LanguageModel.GenerateTextOptions<Tools>

const quietly = <T extends Asking>(options: T): T =>
  options.toolkit === undefined ? options : { ...options, toolkit: untold(options.toolkit as never) }

const isPart = (one: Part | undefined): one is Part => one !== undefined

/**
 * A provider's two functions. Unlike the ones that @effect/ai takes, `generateText` needs no context, as the span is
 * among its options.
 */
export interface Provider extends LanguageModel.ConstructorParams {
  readonly generateText: (
    options: LanguageModel.ProviderOptions
  ) => Effect.Effect<Array<Response.PartEncoded>, AiError.AiError>
}

export const make = (provider: Provider): Effect.Effect<LanguageModel.Service> =>
  Effect.flatMap(Effect.context<never>(), (outer) => {
    const text = (
      options: LanguageModel.GenerateTextOptions<Tools>
    ): Effect.Effect<LanguageModel.GenerateTextResponse<Tools>, AiError.AiError> =>
      Effect.useSpan(
        "LanguageModel.generateText",
        {
          captureStackTrace: false,
          attributes: { concurrency: options.concurrency, toolChoice: options.toolChoice }
        },
        (span) => {
          const asked: LanguageModel.ProviderOptions = {
            prompt: Prompt.make(options.prompt),
            tools: [],
            toolChoice: "none",
            responseFormat: { type: "text" },
            span
          }
          return Effect.contextWithEffect((context: Context.Context<never>) =>
            Effect.map(provider.generateText(asked), (parts) => {
              const content = parts.map(part).filter(isPart)
              const transform = transformer(context, outer)
              if (transform !== undefined) transform({ ...asked, response: content })
              return new LanguageModel.GenerateTextResponse<Tools>(content)
            })
          )
        }
      )

    return Effect.map(LanguageModel.make(provider), (service) => {
      // Callers' types describe the options; these functions accept any.
      return {
        generateText: (options: Asking) =>
          options.toolkit === undefined ? text(options) : service.generateText(quietly(options)),
        generateObject: (
          options: LanguageModel.GenerateObjectOptions<Tools, unknown, Record<string, unknown>, unknown>
        ) => service.generateObject(quietly(options)),
        streamText: (options: Asking) => service.streamText(quietly(options))
      } as LanguageModel.Service
    })
  })

const transformer = (context: Context.Context<never>, outer: Context.Context<never>): SpanTransformer | undefined =>
  Option.getOrUndefined(
    Option.orElse(Context.getOption(context, CurrentSpanTransformer), () =>
      Context.getOption(outer, CurrentSpanTransformer)
    )
  )
