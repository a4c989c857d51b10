/** The models of a provider as layers, which can't fail: what is wrong with their options each call says. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Model from "@effect/ai/Model"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ClientConfig, Options as ClientOptions } from "../../ClientConfig.ts"
import type { OptionsError } from "../../ClientError.ts"
import { ClientMap, type Service } from "../../ClientMap.ts"
import * as Chat from "./chat/model.ts"
import type { Dialect } from "./dialect.ts"
import type { Settings } from "./settings.ts"

export interface Options<P extends string, Extra extends string> extends Settings {
  /** Key, address, timeouts, quota and transport of the client. @default the environment's */
  readonly client?: ClientOptions<Extra> | ClientConfig<P> | undefined
}

/** Read once, for all calls alike. */
export const configured = <P extends string, Extra extends string, A>(
  dialect: Dialect<P, Extra>,
  options: Options<P, Extra>,
  f: (map: Service, config: Effect.Effect<ClientConfig<P>, OptionsError>) => Effect.Effect<A>
): Effect.Effect<A, never, ClientMap> =>
  Effect.flatMap(ClientMap, (map) =>
    Effect.flatMap(Effect.exit(dialect.provider.config(options.client)), (config) => f(map, config))
  )

export const chat = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  model: string,
  options: Options<P, Extra> = {}
): Model.Model<P, LanguageModel.LanguageModel, ClientMap> =>
  Model.make(
    dialect.provider.id,
    Layer.effect(
      LanguageModel.LanguageModel,
      configured(dialect, options, (map, config) => Chat.make(dialect, map, config, model, options))
    )
  )
