/** Errors in each provider's format. */
import type { ProviderName } from "./model.ts"
import { json, type Reply } from "./reply.ts"

export interface Problem {
  readonly status: number
  readonly message: string
  readonly code?: string | undefined
  readonly param?: string | undefined
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error"
}

const NO_MONEY = "insufficient_quota"

const openAiType = (status: number, code?: string): string =>
  code === NO_MONEY
    ? NO_MONEY
    : status === 429
      ? "rate_limit_error"
      : status >= 500
        ? "server_error"
        : "invalid_request_error"

const groqType = (status: number, code: string | undefined): string =>
  status === 429 ? (code?.includes("tokens") === true ? "tokens" : "requests") : openAiType(status, code)

const errorBody = (provider: ProviderName, problem: Problem): unknown => {
  const { status, message, code, param } = problem
  switch (provider) {
    case "anthropic":
      return { type: "error", error: { type: ANTHROPIC_TYPES[status] ?? "api_error", message } }
    case "cerebras":
      return {
        message,
        type: status === 429 ? "too_many_requests_error" : openAiType(status, code),
        param: param ?? null,
        code: code ?? null
      }
    case "azure":
      return { error: { code: code ?? String(status), message } }
    case "groq":
      return { error: { message, type: groqType(status, code), ...(code === undefined ? {} : { code }) } }
    case "openai":
      return { error: { message, type: openAiType(status, code), param: param ?? null, code: code ?? null } }
  }
}

export const problem = (provider: ProviderName, details: Problem): Reply =>
  json(details.status, errorBody(provider, details))

/** The error of a scripted fault with that status. */
export const scripted = (status: number, code: string | undefined): Problem => ({
  status,
  code: code ?? (status === 429 ? "rate_limit_exceeded" : undefined),
  message:
    code === NO_MONEY
      ? "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
      : `The sandbox is configured to fail with ${status}.`
})

export const unauthorized = (provider: ProviderName, key: string): Problem => {
  switch (provider) {
    case "azure":
      return {
        status: 401,
        code: "401",
        message:
          "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource."
      }
    case "anthropic":
      return { status: 401, message: "invalid x-api-key" }
    case "groq":
      return { status: 401, code: "invalid_api_key", message: "Invalid API Key" }
    case "cerebras":
      return { status: 401, code: "wrong_api_key", param: "api_key", message: "Wrong API Key" }
    case "openai":
      return {
        status: 401,
        code: "invalid_api_key",
        message:
          key === ""
            ? "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            : "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
      }
  }
}

export const noModel = (provider: ProviderName, model: string): Problem => ({
  status: 404,
  code: provider === "azure" ? "DeploymentNotFound" : "model_not_found",
  param: "model",
  message:
    provider === "azure"
      ? "The API deployment for this resource does not exist."
      : provider === "anthropic"
        ? `model: ${model}`
        : `The model \`${model}\` does not exist or you do not have access to it.`
})

export const noRoute = (provider: ProviderName, method: string, path: string): Problem => ({
  status: 404,
  code: provider === "azure" ? "404" : provider === "openai" ? undefined : "unknown_url",
  message: provider === "azure" ? "Resource not found" : `Invalid URL (${method} ${path})`
})

export const badJson = (provider: ProviderName, detail: string): Problem => ({
  status: 400,
  code: provider === "groq" ? "json_invalid" : undefined,
  message: `We could not parse the JSON body of your request. The API expects a JSON payload, but what was sent was not valid JSON: ${detail}`
})

export const missing = (param: string): Problem => ({
  status: 400,
  code: "missing_required_parameter",
  param,
  message: `Missing required parameter: '${param}'.`
})
