/**
 * Models of Cerebras for @effect/ai, on pooled and quota-keeping connections. Loads @effect/ai and no SDK.
 *
 * @example
 * ```ts
 * import * as LanguageModel from "@effect/ai/LanguageModel"
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as CerebrasModel from "clientele/CerebrasModel"
 * import * as Effect from "effect/Effect"
 *
 * const agent = LanguageModel.generateText({ prompt: "What is a lease?" })
 *
 * export const main = agent.pipe(
 *   Effect.provide(CerebrasModel.model("gpt-oss-120b", { temperature: 0 })),
 *   Effect.provide(ClientLayer.layer())
 * )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Model from "@effect/ai/Model"
import type * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Layer from "effect/Layer"
import type * as ClientConfig from "./ClientConfig.ts"
import type * as ClientMap from "./ClientMap.ts"
import { speech as chat } from "./internal/ai/chat/apiFormat.ts"
import * as dialects from "./internal/ai/dialect.ts"
import * as layers from "./internal/ai/layers.ts"

export { type Settings, withSettings } from "./internal/ai/settings.ts"

/**
 * Settings of all calls, and the client's own options.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = layers.Options<"cerebras", never>

/**
 * Options of `layerConfig` beside the settings: the name of the model, and options of the client.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions {
  readonly model: string
  /** Key, address, timeouts, quota and transport of the client. @default the environment's */
  readonly client?: ClientConfig.Options<never> | undefined
}

/**
 * A language model over `chat.completions`, with the name of its provider beside it. The client is shared with all who
 * have the same options, and leased for each call. Its layer can't fail: options that can't be used, or a key that is
 * missing, are a `MalformedInput` of each call. Other failures are AiErrors that have ours as their `cause`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const model = (
  name: string,
  options?: Options
): Model.Model<"cerebras", LanguageModel.LanguageModel, ClientMap.ClientMap> =>
  layers.language(dialects.cerebras, chat, name, options)

/**
 * `model` with its name and options from `Config`, read when the layer is built. Options that are absent have their
 * defaults, and the client's come from the provider's usual variables. Fails with a `ConfigError` alone; options that can't
 * be used are a `MalformedInput` of each call, as with `model`.
 *
 * @example
 * ```ts
 * import * as CerebrasModel from "clientele/CerebrasModel"
 * import * as Config from "effect/Config"
 *
 * export const chat = CerebrasModel.layerConfig({
 *   model: Config.withDefault(Config.string("CHAT_MODEL"), "llama3.1-8b"),
 *   temperature: Config.withDefault(Config.number("CHAT_TEMPERATURE"), 0),
 *   client: { apiKey: Config.redacted("CHAT_CEREBRAS_KEY") }
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Omit<Options, "client"> & ConfigOptions>
): Layer.Layer<LanguageModel.LanguageModel | Model.ProviderName, ConfigError, ClientMap.ClientMap> =>
  layers.fromConfig(options, (name, settings) => model(name, settings))
