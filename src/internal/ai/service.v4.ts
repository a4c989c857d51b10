/** The service that effect/ai makes of a provider's two functions. Tools' spans omit their parameters. */
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
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

export const make = (provider: Provider): Effect.Effect<LanguageModel.LanguageModel> =>
  Effect.map(LanguageModel.make({ ...provider, codecTransformer }), (service) => {
    const { generateObject, generateText, streamText } = service as unknown as Readonly<
      Record<"generateObject" | "generateText" | "streamText", (options: Asking) => unknown>
    >
    // Callers' types describe the options; these functions accept any.
    return {
      ...service,
      generateText: (options: Asking) => generateText(quietly(options)),
      generateObject: (options: Asking) => generateObject(quietly(options)),
      streamText: (options: Asking) => streamText(quietly(options))
    } as LanguageModel.LanguageModel
  })
