/** A language model over `chat.completions`: what a prompt becomes on the wire, and what comes back. */
import * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../../ClientConfig.ts"
import type { OptionsError } from "../../../ClientError.ts"
import type { Service } from "../../../ClientMap.ts"
import { type Dialect, place } from "../dialect.ts"
import * as Errors from "../errors.ts"
import * as Send from "../send.ts"
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
  map: Service,
  config: Effect.Effect<ClientConfig<P>, OptionsError>,
  model: string,
  settings: Settings
): Effect.Effect<LanguageModel.Service> => {
  const { key, module, provider } = dialect

  const request = (
    config: ClientConfig<P>,
    origin: Errors.Origin,
    options: LanguageModel.ProviderOptions,
    more: Fields
  ): Effect.Effect<Send.Request, AiError.AiError> =>
    Effect.gen(function* () {
      const all = merge(settings, yield* Override)
      const strictly = all.strict ?? dialect.strict
      const messages = yield* Prompt.messages(options.prompt, { origin, key, images: dialect.images })
      const shape = yield* Effect.try({
        try: () => ({ ...Tools.fields(options, strictly), ...Tools.format(options.responseFormat, strictly) }),
        catch: (cause) =>
          new AiError.MalformedInput({ ...origin, description: "a schema can't be said in JSON Schema", cause })
      })
      return {
        ...place(dialect, config, model, "chat/completions"),
        body: { model, messages, ...shape, ...more, ...fieldsOf(all) }
      }
    })

  const known = (origin: Errors.Origin) => Effect.mapError(config, (error) => Errors.from(origin, "", error))

  return LanguageModel.make({
    generateText: (options) => {
      const origin = { module, method: "generateText" }
      return Effect.flatMap(known(origin), (config) =>
        Effect.flatMap(request(config, origin, options, {}), (request) =>
          Send.json({ map, provider, config }, request).pipe(
            Effect.mapError((error) => Errors.from(origin, request.url, error)),
            Effect.flatMap((said) => Answer.parts(origin, key, said, options))
          )
        )
      )
    },
    streamText: (options) => {
      const origin = { module, method: "streamText" }
      const more = { stream: true, stream_options: { include_usage: true } }
      return Stream.unwrap(
        Effect.flatMap(known(origin), (config) =>
          Effect.map(request(config, origin, options, more), (request) => {
            const events = Stream.mapError(Send.events({ map, provider, config }, request), (error) =>
              Errors.from(origin, request.url, error)
            )
            return Events.parts(origin, key, events, options)
          })
        )
      )
    }
  })
}
