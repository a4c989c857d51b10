/**
 * Cerebras, through `@cerebras/cerebras_cloud_sdk`, without the request that this SDK sends to warm up each client.
 * Variables: `CEREBRAS_API_KEY`, `CEREBRAS_BASE_URL`, `CEREBRAS_CUSTOM_HEADERS`.
 *
 * Every function takes options or a `config` made from them; what is absent comes from the environment. The client is the
 * SDK's own, and shared by all whose options mean the same.
 *
 * @example
 * ```ts
 * import * as CerebrasClient from "clientele/CerebrasClient"
 *
 * export const agent = (question: string) =>
 *   CerebrasClient.use(undefined, (cerebras) =>
 *     cerebras.chat.completions.create({
 *       model: "llama3.1-8b",
 *       messages: [{ role: "user", content: question }]
 *     })
 *   )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import * as Context from "effect/Context"
import type * as ClientConfig from "./ClientConfig.ts"
import * as ClientMap from "./ClientMap.ts"
import { cerebras as spec } from "./internal/config/specs.ts"
import { construct } from "./internal/sdk/sharedClient.ts"
import * as Provider from "./Provider.ts"

/**
 * The client as a service, for those who want it in their context.
 *
 * @since 0.1.0
 * @category tags
 */
export class CerebrasClient extends Context.Tag("clientele/CerebrasClient")<CerebrasClient, Cerebras>() {}

/**
 * The common options. What is absent comes from the environment; units and
 * defaults are in `ClientConfig.CommonOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = ClientConfig.Options

/**
 * The provider of `Cerebras` clients, for code that calls `ClientMap.accessors` or the client map directly.
 *
 * @since 0.1.0
 * @category models
 */
export const provider = Provider.make({
  tag: CerebrasClient,
  spec,
  printsEvents: true,
  construct: (given, config) => construct(Cerebras, { ...given, warmTCPConnection: false }, config)
})

/**
 * `config` validates options, `get` leases a client until the scope closes, `use` for one call, `stream` for one streamed
 * answer, `layer` as a service. What each shares, when it ends and how it fails is in `ClientMap.Accessors`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const { config, get, use, stream, layer } = ClientMap.accessors(provider)
