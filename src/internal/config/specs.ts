/**
 * The four providers that come along. Addresses, timeouts and variables are those of openai 7.57, groq-sdk 1.6 and
 * @cerebras/cerebras_cloud_sdk 1.91: what an SDK would read from the environment by itself is read here, so that it is
 * in the key.
 */
import type { Spec } from "../../ClientConfig.ts"

export const openai: Spec<"openai", "organization" | "project"> = {
  id: "openai",
  baseURL: "https://api.openai.com/v1",
  timeout: 600_000,
  env: { apiKey: "OPENAI_API_KEY", baseURL: "OPENAI_BASE_URL", headers: "OPENAI_CUSTOM_HEADERS" },
  extra: { organization: { env: "OPENAI_ORG_ID" }, project: { env: "OPENAI_PROJECT_ID" } }
}

/**
 * A key is sent as `api-key`, an Entra token as `Authorization: Bearer`: `AzureOpenAiClient` distinguishes them by
 * their form. AzureOpenAI extends OpenAI in the SDK, hence the variables of both.
 */
export const azure: Spec<"azure", "endpoint" | "apiVersion" | "deployment" | "organization" | "project"> = {
  id: "azure",
  timeout: 600_000,
  env: { apiKey: "AZURE_OPENAI_API_KEY", baseURL: "OPENAI_BASE_URL", headers: "OPENAI_CUSTOM_HEADERS" },
  extra: {
    endpoint: { env: "AZURE_OPENAI_ENDPOINT", baseURLPath: "/openai" },
    apiVersion: { env: "OPENAI_API_VERSION", required: true },
    deployment: {},
    organization: { env: "OPENAI_ORG_ID" },
    project: { env: "OPENAI_PROJECT_ID" }
  }
}

export const groq: Spec<"groq"> = {
  id: "groq",
  baseURL: "https://api.groq.com",
  timeout: 60_000,
  env: { apiKey: "GROQ_API_KEY", baseURL: "GROQ_BASE_URL", headers: "GROQ_CUSTOM_HEADERS" }
}

export const cerebras: Spec<"cerebras"> = {
  id: "cerebras",
  baseURL: "https://api.cerebras.ai",
  timeout: 60_000,
  env: { apiKey: "CEREBRAS_API_KEY", baseURL: "CEREBRAS_BASE_URL", headers: "CEREBRAS_CUSTOM_HEADERS" }
}
