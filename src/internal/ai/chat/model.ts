/** A language model over `chat.completions`: what a prompt becomes on the wire, and what comes back. */
import * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../../ClientConfig.ts"
import type { ClientError, OptionsError } from "../../../ClientError.ts"
import type * as ClientMap from "../../../ClientMap.ts"
import { type Dialect, place } from "../dialect.ts"
import * as Errors from "../errors.ts"
import * as Send from "../send.ts"
import * as Service from "../service.ts"
import { merge, Override, type Settings } from "../settings.ts"
import * as Answer from "./answer.ts"
import * as Prompt from "./prompt.ts"
import * as Events from "./stream.ts"
import * as Tools from "./tools.ts"

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (settings: Settings): Fields => {
  const { body, frequencyPenalty, maxTokens, parallelToolCalls, presencePenalty, reasoningEffort, topP } = settings
  const fields: Record<string, unknown> = {
    temperature: settings.temperature,
    top_p: topP,
    max_completion_tokens: maxTokens,
    seed: settings.seed,
    stop: settings.stop,
    frequency_penalty: frequencyPenalty,
    presence_penalty: presencePenalty,
    reasoning_effort: reasoningEffort,
    parallel_tool_calls: parallelToolCalls
  }
  return body === undefined ? fields : { ...fields, ...body }
}

/** `config` is taken as it turned out: a layer of a model can't fail, so each call says what is wrong. */
export const make = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  map: ClientMap.Service,
  config: Effect.Effect<ClientConfig<P>, OptionsError>,
  model: string,
  settings: Settings
): Effect.Effect<LanguageModel.Service> => {
  const { images, key, module, provider } = dialect

  const open = (config: ClientConfig<P>) => {
    const to = place(dialect, config, model, "chat/completions")
    const sender = { map, provider, config }

    const request = (origin: Errors.Origin, options: LanguageModel.ProviderOptions, more: Fields) =>
      Effect.flatMap(Override, (override): Effect.Effect<Send.Request, AiError.AiError> => {
        const all = merge(settings, override)
        return Effect.flatMap(shape(origin, options, all.strict ?? dialect.strict), (shape) =>
          Effect.map(Prompt.messages(options.prompt, { origin, key, images }), (messages) => ({
            ...to,
            body: { model, messages, ...shape, ...more, ...fieldsOf(all) }
          }))
        )
      })

    const failed = (origin: Errors.Origin) => (error: ClientError) => Errors.from(origin, to.url, error)

    return {
      generateText: (options: LanguageModel.ProviderOptions) => {
        const origin = { module, method: "generateText" }
        return Effect.flatMap(request(origin, options, {}), (request) =>
          Effect.matchEffect(Send.json(sender, request), {
            onFailure: (error) => Effect.fail(failed(origin)(error)),
            onSuccess: (said) => Answer.parts(origin, key, said, options)
          })
        )
      },
      streamText: (options: LanguageModel.ProviderOptions) => {
        const origin = { module, method: "streamText" }
        return Stream.unwrap(
          Effect.map(request(origin, options, streamed), (request) =>
            Events.parts(origin, key, Stream.mapError(Send.events(sender, request), failed(origin)), options)
          )
        )
      }
    }
  }

  return Effect.flatMap(Effect.either(config), (known) => {
    if (Either.isRight(known)) return Service.make(open(known.right))
    const fail = (method: string) => Errors.from({ module, method }, "", known.left)
    return Service.make({
      generateText: () => fail("generateText"),
      streamText: () => fail("streamText")
    })
  })
}

const streamed = { stream: true, stream_options: { include_usage: true } }

const nothing: Effect.Effect<Fields> = Effect.succeed({})

/** What the provider is to know of tools and objects. */
const shape = (
  origin: Errors.Origin,
  options: LanguageModel.ProviderOptions,
  strictly: boolean
): Effect.Effect<Fields, AiError.MalformedInput> =>
  options.tools.length === 0 && options.responseFormat.type === "text"
    ? nothing
    : Effect.try({
        try: () => ({ ...Tools.fields(options, strictly), ...Tools.format(options.responseFormat, strictly) }),
        catch: (cause) =>
          new AiError.MalformedInput({ ...origin, description: "a schema can't be said in JSON Schema", cause })
      })
