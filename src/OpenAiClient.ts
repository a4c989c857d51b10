/**
 * OpenAI, and servers that speak its API, through the `openai` SDK (6 or 7). Variables: `OPENAI_API_KEY`,
 * `OPENAI_BASE_URL`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`, `OPENAI_CUSTOM_HEADERS`.
 *
 * Every function takes options or a `config` made from them; what is absent comes from the environment. The client is the
 * SDK's own, and shared by all whose options mean the same.
 *
 * @example
 * ```ts
 * import * as OpenAiClient from "clientele/OpenAiClient"
 *
 * export const agent = (question: string) =>
 *   OpenAiClient.use(undefined, (openai) =>
 *     openai.chat.completions.create({
 *       model: "gpt-5-mini",
 *       messages: [{ role: "user", content: question }]
 *     })
 *   )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import { OpenAI } from "openai"
import * as Context from "effect/Context"
import type * as ClientConfig from "./ClientConfig.ts"
import * as ClientMap from "./ClientMap.ts"
import { openai as spec } from "./internal/config/specs.ts"
import { construct } from "./internal/sdk/sharedClient.ts"
import * as Provider from "./Provider.ts"

/**
 * The client as a service, for those who want it in their context.
 *
 * @since 0.1.0
 * @category tags
 */
export class OpenAiClient extends Context.Tag("clientele/OpenAiClient")<OpenAiClient, OpenAI>() {}

/**
 * `organization` and `project` beside the common options. What is absent comes from the environment; units and
 * defaults are in `ClientConfig.CommonOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = ClientConfig.Options<"organization" | "project">

/**
 * The provider of `OpenAI` clients, for code that calls `ClientMap.accessors` or the client map directly.
 *
 * @since 0.1.0
 * @category models
 */
export const provider = Provider.make({
  tag: OpenAiClient,
  spec,
  construct: (given, config) =>
    construct(
      OpenAI,
      {
        ...given,
        // `null` rather than absent: the SDK would ask the process's environment.
        organization: config.extra["organization"] ?? null,
        project: config.extra["project"] ?? null,
        adminAPIKey: null,
        webhookSecret: null
      },
      config
    )
})

/**
 * `config` validates options, `get` leases a client until the scope closes, `use` for one call, `stream` for one streamed
 * answer, `layer` as a service. What each shares, when it ends and how it fails is in `ClientMap.Accessors`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const { config, get, use, stream, layer } = ClientMap.accessors(provider)
