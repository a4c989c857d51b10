/** The models of a provider as layers, which can't fail: what is wrong with their options each call says. */
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Model from "@effect/ai/Model"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type { ClientConfig, Options as ClientOptions } from "../../ClientConfig.ts"
import type { OptionsError } from "../../ClientError.ts"
import { ClientMap, type Service } from "../../ClientMap.ts"
import * as Checks from "./checks.ts"
import type { Dialect } from "./dialect.ts"
import * as Embeddings from "./embeddings.ts"
import { make, type Speech } from "./model.ts"
import type { Settings } from "./settings.ts"

export interface Options<P extends string, Extra extends string> extends Settings {
  /** Key, address, timeouts, quota and transport of the client. @default the environment's */
  readonly client?: ClientOptions<Extra> | ClientConfig<P> | undefined
}

export interface EmbeddingOptions<P extends string, Extra extends string> extends Embeddings.EmbeddingSettings {
  /** Key, address, timeouts, quota and transport of the client. @default the environment's */
  readonly client?: ClientOptions<Extra> | ClientConfig<P> | undefined
}

/** A model whose name and options come from `Config`. */
export const fromConfig = <Settings extends { readonly model: string }, A, R>(
  options: Config.Config.Wrap<Settings>,
  model: (name: string, settings: Omit<Settings, "model">) => Layer.Layer<A, never, R>
): Layer.Layer<A, ConfigError, R> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), ({ model: name, ...settings }) => model(name, settings)))

/** Read once, for all calls alike. Typed options may be none all the same. */
const configured = <P extends string, Extra extends string, A, R>(
  { api: { provider } }: Dialect<P, Extra>,
  check: Effect.Effect<void, OptionsError>,
  options: Pick<Options<P, Extra>, "client">,
  f: (map: Service, config: Either.Either<ClientConfig<P>, OptionsError>) => Effect.Effect<A, never, R>
): Effect.Effect<A, never, ClientMap | R> =>
  Effect.flatMap(ClientMap, (map) =>
    Effect.flatMap(
      Effect.either(
        Effect.zipRight(
          check,
          Effect.suspend(() => provider.config(options.client))
        )
      ),
      (config) => f(map, config)
    )
  )

export const language = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  speech: Speech,
  model: string,
  options: Options<P, Extra> = {}
): Model.Model<P, LanguageModel.LanguageModel, ClientMap> =>
  Model.make(
    dialect.api.provider.id,
    Layer.effect(
      LanguageModel.LanguageModel,
      configured(dialect, Checks.language(dialect.api.provider.id, model, options), options, (map, config) =>
        make(dialect, speech, { map, config, model, settings: options })
      )
    )
  )

export const embeddings = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  model: string,
  options: EmbeddingOptions<P, Extra> = {}
): Model.Model<P, EmbeddingModel.EmbeddingModel, ClientMap> =>
  Model.make(
    dialect.api.provider.id,
    Layer.scoped(
      EmbeddingModel.EmbeddingModel,
      configured(dialect, Checks.embeddings(dialect.api.provider.id, model, options), options, (map, config) =>
        Embeddings.make(dialect, map, config, model, options)
      )
    )
  )
