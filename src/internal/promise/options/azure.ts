/** The options of `new AzureOpenAI`, of openai 6 and 7. */
import type { AzureOpenAI } from "openai"
import { describe, invalid } from "../../options/validate.ts"
import { azure as spec } from "../../config/specs.ts"
import { variable } from "./environment.ts"
import { rawKeyOf } from "./key.ts"
import { table as openai } from "./openai.ts"
import { type SdkOptionsSpec, type Draft, read as readOptions } from "./read.ts"
import type { Bypass, Reading } from "./reading.ts"
import { keyFunction, type KeyFunction, wrapKey } from "./secret.ts"
import { apiKeyNote, common, modern, ours, type Table } from "./table.ts"
import type { PoolOptions, WrappedKey } from "./types.ts"

type ClientOptions = NonNullable<ConstructorParameters<typeof AzureOpenAI>[0]>

/**
 * All options of `new AzureOpenAI`, in the openai that is installed, and those of clientele. docs/options.md describes
 * each.
 *
 * @since 0.1.0
 * @category models
 */
export interface AzureOpenAIOptions extends Omit<ClientOptions, "apiKey">, PoolOptions {
  /**
   * The resource's key; tokens of Entra come from `azureADTokenProvider`.
   *
   * @default the environment's `AZURE_OPENAI_API_KEY`
   */
  readonly apiKey?: ClientOptions["apiKey"] | WrappedKey
  /** Not read by openai 6 and 7: use `transport`. */
  readonly httpAgent?: undefined
}

const notAzure = "AzureOpenAI does not support it"

export const table = {
  apiKey: { fate: "pool", env: "AZURE_OPENAI_API_KEY", null: true, identity: true, note: apiKeyNote },
  azureADTokenProvider: {
    fate: "sdk",
    identity: true,
    note:
      "Called by the SDK for each request, in the caller's async context; clients with the same function object are " +
      "one client with one budget. Not beside `apiKey`"
  },
  endpoint: { fate: "pool", env: "AZURE_OPENAI_ENDPOINT", note: "`baseURL` is the path /openai at this address" },
  deployment: { fate: "pool", note: "In the paths of requests, as the SDK writes them" },
  apiVersion: { fate: "pool", env: "OPENAI_API_VERSION", note: "Required, here or in the environment" },
  baseURL: {
    fate: "pool",
    env: "OPENAI_BASE_URL",
    null: true,
    note: "Destination of requests, unless `endpoint` is set; `null` is none, over the environment's. Reads back as written"
  },
  adminAPIKey: openai.adminAPIKey,
  organization: openai.organization,
  project: openai.project,
  webhookSecret: openai.webhookSecret,
  ...common,
  defaultHeaders: openai.defaultHeaders,
  ...modern,
  logLevel: openai.logLevel,
  workloadIdentity: openai.workloadIdentity,
  x509Transport: { fate: "refused", since: "openai 7", note: notAzure },
  credential: { fate: "refused", since: "openai 7", note: notAzure },
  dataResidency: { fate: "refused", since: "openai 7", note: notAzure },
  provider: { fate: "refused", note: notAzure },
  ...ours
} as const satisfies Table

const settle = (draft: Draft): void => {
  const { at, given, options } = draft
  if (given["endpoint"] === "") delete options["endpoint"]
  if (given["baseURL"] === null || given["baseURL"] === "") {
    delete options["baseURL"]
    // Made explicit, so that the environment's base URL does not take precedence.
    options["endpoint"] ??= variable("AZURE_OPENAI_ENDPOINT")
    if (options["endpoint"] === undefined) {
      throw invalid(
        at("baseURL"),
        "none",
        "the option baseURL or endpoint, or the environment variable AZURE_OPENAI_ENDPOINT"
      )
    }
  }
  const provider = given["azureADTokenProvider"]
  if (provider === undefined)
    return wrapKey(draft, "the resource's key as a string; tokens come from azureADTokenProvider")
  if (typeof provider !== "function") {
    throw invalid(at("azureADTokenProvider"), describe(provider), "a function that returns a token")
  }
  if (given["apiKey"] !== undefined && given["apiKey"] !== null) {
    throw invalid(at("azureADTokenProvider"), "given beside apiKey", "one of the two: both authenticate requests")
  }
  keyFunction(draft, "azureADTokenProvider", provider as KeyFunction)
}

const sdkSpec: SdkOptionsSpec<"azure", "endpoint" | "apiVersion" | "deployment" | "organization" | "project"> = {
  spec,
  table,
  settle
}

export const read = (options?: unknown): Reading<"azure"> | Bypass => readOptions(sdkSpec, options)

export const rawKey = rawKeyOf(sdkSpec)
