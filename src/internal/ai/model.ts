/** A language model over one of the ways in which providers speak: what a prompt becomes on the wire, and what comes back. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ClientError, OptionsError } from "../../ClientError.ts"
import type * as ClientMap from "../../ClientMap.ts"
import * as Checks from "./checks.ts"
import { type Dialect, type FileSupport, pathOf, type Road } from "./dialect.ts"
import * as Errors from "./errors.ts"
import * as Observe from "./observe.ts"
import { effectOf } from "./parts.ts"
import * as Send from "./send.ts"
import * as Service from "./service.ts"
import { merge, none, Override, type Settings } from "./settings.ts"

type Options = LanguageModel.ProviderOptions

export type BodyFields = Readonly<Record<string, unknown>>

/** The provider for which a request is written. */
export interface Taken {
  readonly origin: Errors.Origin
  /** Key of the provider's options in a part of a prompt, and of its metadata in a response. */
  readonly key: string
  readonly files: FileSupport
  readonly reasoning: boolean
  readonly strict: boolean
}

/** A way to speak. */
export interface Speech {
  readonly road: Road
  /** Further fields of a streaming request. */
  readonly streamed: BodyFields
  readonly fields: (options: Options, settings: Settings, taken: Taken) => Either.Either<BodyFields, AiError.AiError>
  readonly parts: (
    origin: Errors.Origin,
    key: string,
    said: unknown,
    options: Options
  ) => Either.Either<Array<Response.PartEncoded>, AiError.AiError>
  readonly stream: <E>(
    origin: Errors.Origin,
    key: string,
    events: Stream.Stream<unknown, E>,
    options: Options
  ) => Stream.Stream<Response.StreamPartEncoded, E | AiError.AiError>
}

/** A model, as its layer has read its options. */
export interface ModelOptions<P extends string> {
  readonly map: ClientMap.Service
  /** The config or its error: a layer of a model never fails, so each call reports it. */
  readonly config: Either.Either<ClientConfig<P>, OptionsError>
  readonly model: string
  readonly settings: Settings
}

type WriteBody = (
  origin: Errors.Origin,
  options: Options,
  more: BodyFields
) => Effect.Effect<Send.ModelBody, AiError.AiError>

const writer =
  <P extends string, Extra extends string>(
    { api, files, key, reasoning, strict }: Dialect<P, Extra>,
    speech: Speech,
    model: string,
    settings: Settings
  ): WriteBody =>
  (origin, options, more) =>
    Effect.flatMap(Override, (override): Effect.Effect<Send.ModelBody, AiError.AiError> => {
      const all = merge(settings, override)
      const taken = { origin, key, files, reasoning, strict: all.strict ?? strict }
      const made = effectOf(
        Either.map(speech.fields(options, all, taken), (fields) => ({ model, ...fields, ...more, ...all.body }))
      )
      return override === none
        ? made
        : Effect.zipRight(
            Effect.mapError(Checks.override(api.provider.id, override), (error) => Errors.from(origin, "", error)),
            made
          )
    })

const open = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  speech: Speech,
  config: ClientConfig<P>,
  { map, model, settings }: Omit<ModelOptions<P>, "config">
): Service.Provider => {
  const { api, key, module } = dialect
  const send = Send.make({ map, api, config, path: pathOf(api, speech.road) })
  const observed = Observe.make({ provider: api.provider.id, model, baseURL: config.baseURL })
  const write = writer(dialect, speech, model, settings)
  const failed = (origin: Errors.Origin) => (error: ClientError) => Errors.from(origin, send.url({ model }), error)

  return {
    generateText: (options) => {
      const origin = { module, method: "generateText" }
      return Effect.flatMap(write(origin, options, {}), (body) =>
        observed.whole(options, (span) =>
          Effect.matchEffect(send.json(body, span), {
            onFailure: (error) => Effect.fail(failed(origin)(error)),
            onSuccess: (said) => effectOf(speech.parts(origin, key, said, options))
          })
        )
      )
    },
    streamText: (options) => {
      const origin = { module, method: "streamText" }
      return Stream.unwrap(
        Effect.map(write(origin, options, speech.streamed), (body) =>
          observed.stream(
            options,
            speech.stream(origin, key, Stream.mapError(send.events(body), failed(origin)), options)
          )
        )
      )
    }
  }
}

export const make = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  speech: Speech,
  { config, ...options }: ModelOptions<P>
): Effect.Effect<LanguageModel.Service> => {
  if (Either.isRight(config)) return Service.make(open(dialect, speech, config.right, options))
  const error = (method: string) => Errors.from({ module: dialect.module, method }, "", config.left)
  return Service.make({
    generateText: () => Effect.fail(error("generateText")),
    streamText: () => Stream.fail(error("streamText"))
  })
}
