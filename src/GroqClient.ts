/**
 * Groq, through `groq-sdk`. Variables: `GROQ_API_KEY`, `GROQ_BASE_URL`, `GROQ_CUSTOM_HEADERS`.
 *
 * Every function takes options or a `config` made from them; what is absent comes from the environment. The client is the
 * SDK's own, and shared by all whose options mean the same.
 *
 * @example
 * ```ts
 * import * as GroqClient from "clientele/GroqClient"
 *
 * export const agent = (question: string) =>
 *   GroqClient.use(undefined, (groq) =>
 *     groq.chat.completions.create({
 *       model: "llama-3.3-70b-versatile",
 *       messages: [{ role: "user", content: question }]
 *     })
 *   )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import { Groq } from "groq-sdk"
import * as Context from "effect/Context"
import type * as ClientConfig from "./ClientConfig.ts"
import * as ClientMap from "./ClientMap.ts"
import { groq as spec } from "./internal/config/specs.ts"
import { construct } from "./internal/sdk/sharedClient.ts"
import * as Provider from "./Provider.ts"

/**
 * The client as a service, for those who want it in their context.
 *
 * @since 0.1.0
 * @category tags
 */
export class GroqClient extends Context.Tag("clientele/GroqClient")<GroqClient, Groq>() {}

/**
 * The common options. What is absent comes from the environment; units and
 * defaults are in `ClientConfig.CommonOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = ClientConfig.Options

/**
 * The provider of `Groq` clients, for code that calls `ClientMap.accessors` or the client map directly.
 *
 * @since 0.1.0
 * @category models
 */
export const provider = Provider.make({
  tag: GroqClient,
  spec,
  construct: (given, config) => construct(Groq, given, config)
})

/**
 * `config` validates options, `get` leases a client until the scope closes, `use` for one call, `stream` for one streamed
 * answer, `layer` as a service. What each shares, when it ends and how it fails is in `ClientMap.Accessors`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const { config, get, use, stream, layer } = ClientMap.accessors(provider)
