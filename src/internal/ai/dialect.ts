/** In what the providers differ that speak `chat.completions`. */
import type { ClientConfig } from "../../ClientConfig.ts"
import * as providers from "../client/bareProviders.ts"
import type { Provider } from "../../Provider.ts"
import type { Bare } from "../client/bareProviders.ts"
import { exactHeaders, PLACEHOLDER } from "../redaction/redact.ts"

export type Road = "chat/completions" | "embeddings" | "responses"

/** `"all"` are images, and the sounds and PDF that the road has a place for. Inline images are none by URL. */
export type Files = "inline images" | "images" | "all"

export interface Dialect<P extends string, Extra extends string> {
  readonly provider: Provider<Bare, Bare, P, Extra>
  /** The name of the module that users see, for errors. */
  readonly module: string
  /** Path between the base URL and the endpoint (`Road`). */
  readonly path: (config: ClientConfig<P>, model: string) => string
  /** The header with the secret, for which a placeholder stands. */
  readonly secret: readonly [name: string, value: string]
  /** True if the provider holds structured output and tools to their schemas. */
  readonly strict: boolean
  /** Files that prompts may contain besides text. */
  readonly files: Files
  /** True if the model takes back its reasoning between tool calls. */
  readonly reasoning: boolean
  /** The field by which a seed, a user, and the like are distinguished from other providers' in prompts and answers. */
  readonly key: string
}

const bearer = ["authorization", `Bearer ${PLACEHOLDER}`] as const

export const openai: Dialect<"openai", "organization" | "project"> = {
  provider: providers.openai,
  module: "OpenAiModel",
  path: () => "/",
  secret: bearer,
  strict: true,
  files: "all",
  reasoning: false,
  key: "openai"
}

export const azure: Dialect<"azure", "endpoint" | "apiVersion" | "deployment" | "organization" | "project"> = {
  provider: providers.azure,
  module: "AzureOpenAiModel",
  // A deployment has one model; without one the model's name is that of its deployment, as in the SDK.
  path: ({ extra }, model) => `/deployments/${encodeURIComponent(extra["deployment"] ?? model)}/`,
  secret: ["api-key", PLACEHOLDER],
  strict: true,
  files: "all",
  reasoning: false,
  key: "azure"
}

export const groq: Dialect<"groq", never> = {
  provider: providers.groq,
  module: "GroqModel",
  path: () => "/openai/v1/",
  secret: bearer,
  // Only some of its models support the mode (Groq, "Structured Outputs").
  strict: false,
  // Its content parts are texts and images (groq-sdk, `ChatCompletionContentPart`).
  files: "images",
  reasoning: true,
  key: "groq"
}

export const cerebras: Dialect<"cerebras", never> = {
  provider: providers.cerebras,
  module: "CerebrasModel",
  path: () => "/v1/",
  secret: bearer,
  strict: true,
  // As data URIs alone (Cerebras, "Image inputs").
  files: "inline images",
  reasoning: true,
  key: "cerebras"
}

/** URL and headers of requests for a model. */
export const place = <P extends string, Extra extends string>(
  dialect: Dialect<P, Extra>,
  config: ClientConfig<P>,
  model: string,
  road: Road
): { readonly url: string; readonly headers: Readonly<Record<string, string>> } => {
  const { extra, headers } = config
  const url = new URL(config.baseURL + dialect.path(config, model) + road)
  for (const [name, value] of Object.entries(config.query)) url.searchParams.set(name, value)
  if (extra["apiVersion"] !== undefined) url.searchParams.set("api-version", extra["apiVersion"])
  const [name, value] = dialect.secret
  return {
    url: url.href,
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      "user-agent": "clientele",
      [name]: value,
      ...(extra["organization"] !== undefined && { "openai-organization": extra["organization"] }),
      ...(extra["project"] !== undefined && { "openai-project": extra["project"] }),
      // Without a variable there are no `null`s.
      ...(exactHeaders(undefined, headers) as Record<string, string>)
    }
  }
}
