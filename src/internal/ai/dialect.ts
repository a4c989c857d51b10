/** In what the providers differ that speak `chat.completions`. */
import * as apis from "../direct/apis.ts"

export type Road = "chat" | "embeddings" | "responses"

type Paths = Pick<apis.Api<string, string>, "chatPath" | "embeddingsPath">

/** Path of requests, below the base URL. */
export const pathOf = ({ chatPath, embeddingsPath }: Paths, road: Road): string =>
  road === "chat" ? chatPath : road === "embeddings" ? embeddingsPath : "/responses"

/** `"all"` are images, and the sounds and PDF that the road has a place for. Inline images are none by URL. */
export type FileSupport = "inline images" | "images" | "all"

export interface Dialect<P extends string, Extra extends string> {
  /** Writes requests, and tells their provider. */
  readonly api: apis.Api<P, Extra>
  /** The name of the module that users see, for errors. */
  readonly module: string
  /** True if the provider holds structured output and tools to their schemas. */
  readonly strict: boolean
  /** Files that prompts may contain besides text. */
  readonly files: FileSupport
  /** True if the model takes back its reasoning between tool calls. */
  readonly reasoning: boolean
  /** The field by which a seed, a user, and the like are distinguished from other providers' in prompts and answers. */
  readonly key: string
}

export const openai: Dialect<"openai", "organization" | "project"> = {
  api: apis.openai,
  module: "OpenAiModel",
  strict: true,
  files: "all",
  reasoning: false,
  key: "openai"
}

export const azure: Dialect<"azure", "endpoint" | "apiVersion" | "deployment" | "organization" | "project"> = {
  api: apis.azure,
  module: "AzureOpenAiModel",
  strict: true,
  files: "all",
  reasoning: false,
  key: "azure"
}

export const groq: Dialect<"groq", never> = {
  api: apis.groq,
  module: "GroqModel",
  // Only some of its models support the mode (Groq, "Structured Outputs").
  strict: false,
  // Its content parts are texts and images (groq-sdk, `ChatCompletionContentPart`).
  files: "images",
  reasoning: true,
  key: "groq"
}

export const cerebras: Dialect<"cerebras", never> = {
  api: apis.cerebras,
  module: "CerebrasModel",
  strict: true,
  // As data URIs alone (Cerebras, "Image inputs").
  files: "inline images",
  reasoning: true,
  key: "cerebras"
}
