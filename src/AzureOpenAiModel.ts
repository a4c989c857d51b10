/**
 * Models of Azure for @effect/ai, on pooled and quota-keeping connections. Loads @effect/ai and no SDK.
 *
 * @example
 * ```ts
 * import * as LanguageModel from "@effect/ai/LanguageModel"
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as AzureOpenAiModel from "clientele/AzureOpenAiModel"
 * import * as Effect from "effect/Effect"
 *
 * const agent = LanguageModel.generateText({ prompt: "What is a lease?" })
 *
 * export const main = agent.pipe(
 *   Effect.provide(AzureOpenAiModel.model("gpt-5-mini", { temperature: 0 })),
 *   Effect.provide(ClientLayer.layer())
 * )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as Embedding from "@effect/ai/EmbeddingModel"
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
export type Options = layers.Options<"azure", "endpoint" | "apiVersion" | "deployment" | "organization" | "project">

/**
 * Options of `layerConfig` beside the settings: the name of the model, and options of the client.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions {
  readonly model: string
  /** Key, address, timeouts, quota and transport of the client. @default the environment's */
  readonly client?:
    | ClientConfig.Options<"endpoint" | "apiVersion" | "deployment" | "organization" | "project">
    | undefined
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
): Model.Model<"azure", LanguageModel.LanguageModel, ClientMap.ClientMap> =>
  layers.language(dialects.azure, chat, name, options)

/**
 * `model` with its name and options from `Config`, read when the layer is built. Options that are absent have their
 * defaults, and the client's come from the provider's usual variables. Fails with a `ConfigError` alone; options that can't
 * be used are a `MalformedInput` of each call, as with `model`.
 *
 * @example
 * ```ts
 * import * as AzureOpenAiModel from "clientele/AzureOpenAiModel"
 * import * as Config from "effect/Config"
 *
 * export const chat = AzureOpenAiModel.layerConfig({
 *   model: Config.withDefault(Config.string("CHAT_MODEL"), "gpt-5-mini"),
 *   temperature: Config.withDefault(Config.number("CHAT_TEMPERATURE"), 0),
 *   client: { apiKey: Config.redacted("CHAT_AZURE_OPENAI_KEY") }
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

/**
 * Settings of all calls, and the client's own options.
 *
 * @since 0.1.0
 * @category models
 */
export type EmbeddingOptions = layers.EmbeddingOptions<
  "azure",
  "endpoint" | "apiVersion" | "deployment" | "organization" | "project"
>

/**
 * An embedding model. Texts of agents that ask at the same time go out in one request, if they have it of the same layer:
 * provide it once, around them all. One agent that is interrupted does not take the others with it; a request that nobody
 * waits for is aborted. Its layer can't fail either.
 *
 * @since 0.1.0
 * @category constructors
 */
export const embeddingModel = (
  name: string,
  options?: EmbeddingOptions
): Model.Model<"azure", Embedding.EmbeddingModel, ClientMap.ClientMap> =>
  layers.embeddings(dialects.azure, name, options)

/**
 * `embeddingModel` with its name and options from `Config`, read when the layer is built. Options that are absent have their
 * defaults, and the client's come from the provider's usual variables. Fails with a `ConfigError` alone; options that can't
 * be used are a `MalformedInput` of each call, as with `embeddingModel`.
 *
 * @example
 * ```ts
 * import * as AzureOpenAiModel from "clientele/AzureOpenAiModel"
 * import * as Config from "effect/Config"
 *
 * export const embeddings = AzureOpenAiModel.embeddingLayerConfig({
 *   model: Config.withDefault(Config.string("EMBEDDING_MODEL"), "text-embedding-3-small"),
 *   dimensions: Config.withDefault(Config.integer("EMBEDDING_DIMENSIONS"), 512)
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const embeddingLayerConfig = (
  options: Config.Config.Wrap<Omit<EmbeddingOptions, "client"> & ConfigOptions>
): Layer.Layer<Embedding.EmbeddingModel | Model.ProviderName, ConfigError, ClientMap.ClientMap> =>
  layers.fromConfig(options, (name, settings) => embeddingModel(name, settings))
