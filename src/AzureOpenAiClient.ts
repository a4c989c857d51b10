/**
 * OpenAI's models on Azure, through the `openai` SDK (6 or 7). `apiKey` is the resource's key, or a `Credential` that loads
 * Entra tokens. `apiVersion` is required; so is `endpoint` or `baseURL`. Variables: `AZURE_OPENAI_API_KEY`,
 * `AZURE_OPENAI_ENDPOINT`, `OPENAI_API_VERSION`, `OPENAI_BASE_URL`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`,
 * `OPENAI_CUSTOM_HEADERS`.
 *
 * Every function takes options or a `config` made from them; what is absent comes from the environment. The client is the
 * SDK's own, and shared by all whose options mean the same.
 *
 * @example
 * ```ts
 * import * as AzureOpenAiClient from "clientele/AzureOpenAiClient"
 *
 * export const agent = (question: string) =>
 *   AzureOpenAiClient.use(undefined, (azure) =>
 *     azure.chat.completions.create({
 *       model: "gpt-5-mini",
 *       messages: [{ role: "user", content: question }]
 *     })
 *   )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import { AzureOpenAI } from "openai"
import * as Context from "effect/Context"
import type * as ClientConfig from "./ClientConfig.ts"
import * as ClientMap from "./ClientMap.ts"
import { azure as spec } from "./internal/config/specs.ts"
import { ofAzure } from "./internal/redaction/redact.ts"
import { construct } from "./internal/sdk/sharedClient.ts"
import * as Provider from "./Provider.ts"

/**
 * The client as a service, for those who want it in their context.
 *
 * @since 0.1.0
 * @category tags
 */
export class AzureOpenAiClient extends Context.Tag("clientele/AzureOpenAiClient")<AzureOpenAiClient, AzureOpenAI>() {}

/**
 * `endpoint`, `apiVersion`, `deployment`, `organization` and `project` beside the common options. What is absent
 * comes from the environment; units and defaults are in `ClientConfig.CommonOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = ClientConfig.Options<"endpoint" | "apiVersion" | "deployment" | "organization" | "project">

/**
 * The provider of `AzureOpenAI` clients, for code that calls `ClientMap.accessors` or the client map directly.
 *
 * @since 0.1.0
 * @category models
 */
export const provider = Provider.make({
  tag: AzureOpenAiClient,
  spec,
  authorize: ofAzure,
  construct: (given, config) =>
    construct(
      AzureOpenAI,
      {
        ...given,
        apiVersion: config.extra["apiVersion"],
        deployment: config.extra["deployment"],
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
