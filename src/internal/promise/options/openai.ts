/** The options of `new OpenAI`, of openai 6 and 7. */
import type { ClientOptions } from "openai"
import * as Redacted from "effect/Redacted"
import { describe, invalid } from "../../options/validate.ts"
import { openai as spec } from "../../config/specs.ts"
import { variable } from "./environment.ts"
import { rawKeyOf } from "./key.ts"
import { type SdkOptionsSpec, type Draft, read as readOptions } from "./read.ts"
import type { Bypass, Reading } from "./reading.ts"
import { keyFunction, type KeyFunction, wrapKey } from "./secret.ts"
import { apiKeyNote, baseURLNote, common, defaultHeaders, modern, ours, type Table } from "./table.ts"
import type { PoolOptions, WrappedKey } from "./types.ts"

/**
 * All options of `new OpenAI`, in the openai that is installed, and those of clientele. docs/options.md describes each.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenAIOptions extends Omit<ClientOptions, "apiKey">, PoolOptions {
  /**
   * The key. A function is called by the SDK for each request.
   *
   * @default the environment's `OPENAI_API_KEY`
   */
  readonly apiKey?: ClientOptions["apiKey"] | WrappedKey
  /** Not read by openai 6 and 7: use `transport`. */
  readonly httpAgent?: undefined
}

const identity = "the SDK gets tokens in its own way, outside the pool"

export const table = {
  apiKey: {
    fate: "pool",
    env: "OPENAI_API_KEY",
    null: true,
    identity: true,
    note:
      `${apiKeyNote}. A function is called by the SDK for each request, in the caller's async context; clients with ` +
      "the same function object are one client with one budget"
  },
  adminAPIKey: {
    fate: "sdk",
    type: "string",
    env: "OPENAI_ADMIN_KEY",
    null: true,
    note: "Passed to the SDK, for the requests of administrators; without `apiKey` it is the budget's key too"
  },
  organization: { fate: "pool", env: "OPENAI_ORG_ID", null: true, note: "Part of a budget's key" },
  project: { fate: "pool", env: "OPENAI_PROJECT_ID", null: true, note: "Part of a budget's key" },
  webhookSecret: {
    fate: "sdk",
    type: "string",
    env: "OPENAI_WEBHOOK_SECRET",
    null: true,
    note: "Passed to the SDK, for `webhooks.unwrap`; never sent"
  },
  baseURL: { fate: "pool", env: "OPENAI_BASE_URL", null: true, note: baseURLNote },
  dataResidency: { fate: "pool", since: "openai 7", note: "The region's `baseURL`; not beside one" },
  ...common,
  defaultHeaders: defaultHeaders("OPENAI_CUSTOM_HEADERS"),
  ...modern,
  logLevel: { fate: "sdk", type: "string", env: "OPENAI_LOG", note: "Passed to the SDK" },
  workloadIdentity: { fate: "unpooled", note: identity },
  x509Transport: { fate: "unpooled", since: "openai 7", note: identity },
  credential: { fate: "unpooled", since: "openai 7", note: identity },
  provider: { fate: "unpooled", note: "it signs requests and sets their destination, outside the pool" },
  ...ours
} as const satisfies Table

/** As openai 7.57 has them. */
const regions: Readonly<Record<string, string>> = {
  global: "https://api.openai.com/v1",
  us: "https://us.api.openai.com/v1",
  eu: "https://eu.api.openai.com/v1",
  ae: "https://ae.api.openai.com/v1",
  au: "https://au.api.openai.com/v1",
  in: "https://in.api.openai.com/v1",
  jp: "https://jp.api.openai.com/v1"
}

const settle = (draft: Draft): void => {
  baseURL(draft)
  const { given, options, sdk } = draft
  if (typeof given["apiKey"] === "function") return keyFunction(draft, "apiKey", given["apiKey"] as KeyFunction)
  const admin = sdk["adminAPIKey"]
  const none = given["apiKey"] === null || (given["apiKey"] === undefined && variable("OPENAI_API_KEY") === undefined)
  if (none && typeof admin === "string") {
    options["apiKey"] = Redacted.make(admin)
    sdk["apiKey"] = null
    return
  }
  wrapKey(draft, "the provider's key as a string, or a function that returns it")
}

const baseURL = ({ at, given, options }: Draft): void => {
  const region = given["dataResidency"]
  delete options["dataResidency"]
  // The SDK takes both as: its own address, over the environment's.
  if (given["baseURL"] === null || given["baseURL"] === "") options["baseURL"] = spec.baseURL
  if (region === undefined) return
  if (given["baseURL"] !== undefined) {
    throw invalid(at("dataResidency"), "given beside baseURL", "one of the two: both set the destination of requests")
  }
  if (typeof region !== "string" || !Object.hasOwn(regions, region)) {
    throw invalid(at("dataResidency"), describe(region), `one of ${Object.keys(regions).join(", ")}`)
  }
  options["baseURL"] = regions[region]
}

const sdkSpec: SdkOptionsSpec<"openai", "organization" | "project"> = { spec, table, settle }

export const read = (options?: unknown): Reading<"openai"> | Bypass => readOptions(sdkSpec, options)

export const rawKey = rawKeyOf(sdkSpec)
