/** The four language models against any server, for tests that hold for each of them. */
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Model from "@effect/ai/Model"
import * as Redacted from "effect/Redacted"
import * as AzureOpenAiModel from "../../src/AzureOpenAiModel.ts"
import * as CerebrasModel from "../../src/CerebrasModel.ts"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as GroqModel from "../../src/GroqModel.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"

type Subject = {
  readonly name: string
  readonly provider: "openai" | "azure" | "groq" | "cerebras"
  readonly at: (
    baseURL: string,
    options?: OpenAiModel.Settings & { readonly client?: CommonOptions },
    model?: string
  ) => Model.Model<string, LanguageModel.LanguageModel, ClientMap>
}

const key = { apiKey: Redacted.make("sk-test"), maxRetries: 0 }

/** `at` takes what a server says an SDK's `baseURL` is for this provider (Azure: its `endpoint`). */
export const subjects: ReadonlyArray<Subject> = [
  {
    name: "openai",
    provider: "openai",
    at: (baseURL, options, model = "test-model") =>
      OpenAiModel.model(model, { ...options, client: { ...key, baseURL, ...options?.client } }) as never
  },
  {
    name: "openai, responses",
    provider: "openai",
    at: (baseURL, options, model = "test-model") =>
      OpenAiModel.responsesModel(model, { ...options, client: { ...key, baseURL, ...options?.client } }) as never
  },
  {
    name: "azure",
    provider: "azure",
    at: (endpoint, options, model = "test-model") =>
      AzureOpenAiModel.model(model, {
        ...options,
        client: { ...key, endpoint, apiVersion: "2024-10-21", ...options?.client }
      }) as never
  },
  {
    name: "groq",
    provider: "groq",
    at: (baseURL, options, model = "test-model") =>
      GroqModel.model(model, { ...options, client: { ...key, baseURL, ...options?.client } }) as never
  },
  {
    name: "cerebras",
    provider: "cerebras",
    at: (baseURL, options, model = "test-model") =>
      CerebrasModel.model(model, { ...options, client: { ...key, baseURL, ...options?.client } }) as never
  }
]

/** The embedding models, each like a subject. */
export const embedders = [
  {
    name: "openai" as const,
    at: (baseURL: string, options: OpenAiModel.EmbeddingOptions = {}) =>
      OpenAiModel.embeddingModel("text-embedding-3-small", { ...options, client: { ...key, baseURL } })
  },
  {
    name: "azure" as const,
    at: (endpoint: string, options: OpenAiModel.EmbeddingOptions = {}) =>
      AzureOpenAiModel.embeddingModel("text-embedding-3-small", {
        ...options,
        client: { ...key, endpoint, apiVersion: "2024-10-21" }
      })
  }
]
