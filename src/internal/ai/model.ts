/** A language model over one of the ways in which providers speak: what a prompt becomes on the wire, and what comes back. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Context from "effect/Context"
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
import type { RunWhole } from "./wholeCall.ts"

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
  context: Context.Context<never>,
  origin: Errors.Origin,
  options: Options,
  more: BodyFields
) => Either.Either<Send.ModelBody, AiError.AiError>

const writer =
  <P extends string, Extra extends string>(
    { api, files, key, reasoning, strict }: Dialect<P, Extra>,
    speech: Speech,
    model: string,
    settings: Settings
  ): WriteBody =>
  (context, origin, options, more) => {
    const override = Context.get(context, Override)
    const all = merge(settings, override)
    if (override !== none) {
      const checked = Checks.override(api.provider.id, override)
      if (Either.isLeft(checked)) return Either.left(Errors.from(origin, "", checked.left))
    }
    const taken = { origin, key, files, reasoning, strict: all.strict ?? strict }
    return Either.map(speech.fields(options, all, taken), (fields) => ({ model, ...fields, ...more, ...all.body }))
  }

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
  const failed = (origin: Errors.Origin, error: ClientError) => Errors.from(origin, send.url({ model }), error)

  /** The call is written when its turn has come. */
  const whole: RunWhole = (fiber, call) => {
    const origin = { module, method: "generateText" }
    const seen = observed.whole(fiber)
    let unwritten: AiError.AiError | undefined
    const written = (): Send.ModelCall => {
      const asked = call.options()
      const body = write(fiber.currentContext as Context.Context<never>, origin, asked, {})
      if (Either.isLeft(body)) throw (unwritten = body.left)
      return { body: body.right, span: seen.sent(asked) }
    }
    const running = Effect.matchEffect(send.json(written), {
      onFailure: (error) => Effect.fail(unwritten ?? failed(origin, error)),
      onSuccess: (said) =>
        effectOf(
          Either.map(speech.parts(origin, key, said, call.options()), (parts) => {
            seen.answered(parts)
            return call.respond(parts)
          })
        )
    })
    return Effect.onExit(running, (exit) =>
      Effect.sync(() => {
        if (unwritten === undefined) seen.end(call.options(), exit)
        call.ended(exit)
      })
    )
  }

  return {
    whole,
    generateText: (options) =>
      Effect.withFiberRuntime((fiber) =>
        whole(fiber, { options: () => options, respond: (parts) => parts, ended: () => {} })
      ),
    streamText: (options) => {
      const origin = { module, method: "streamText" }
      return Stream.unwrap(
        Effect.contextWithEffect((context: Context.Context<never>) =>
          effectOf(
            Either.map(write(context, origin, options, speech.streamed), (body) => {
              const events = Stream.mapError(send.events(body), (error) => failed(origin, error))
              return observed.stream(options, speech.stream(origin, key, events, options))
            })
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
    whole: (_, call) =>
      Effect.onExit(Effect.fail(error("generateText")), (exit) => Effect.sync(() => call.ended(exit))),
    generateText: () => Effect.fail(error("generateText")),
    streamText: () => Stream.fail(error("streamText"))
  })
}
