/** The options of `new Groq`. */
import type { ClientOptions } from "groq-sdk"
import { groq as spec } from "../../config/specs.ts"
import { rawKeyOf } from "./key.ts"
import { type SdkOptionsSpec, read as readOptions } from "./read.ts"
import type { Bypass, Reading } from "./reading.ts"
import { plain } from "./secret.ts"
import { apiKeyNote, baseURLNote, common, defaultHeaders, modern, ours, type Table } from "./table.ts"
import type { PoolOptions, WrappedKey } from "./types.ts"

/**
 * All options of `new Groq`, and those of clientele. docs/options.md describes each.
 *
 * @since 0.1.0
 * @category models
 */
export interface GroqOptions extends Omit<ClientOptions, "apiKey">, PoolOptions {
  /**
   * The key.
   *
   * @default the environment's `GROQ_API_KEY`
   */
  readonly apiKey?: ClientOptions["apiKey"] | WrappedKey
  /** Not read by groq-sdk 1: use `transport`. */
  readonly httpAgent?: undefined
}

export const table = {
  apiKey: { fate: "pool", env: "GROQ_API_KEY", null: true, identity: true, note: apiKeyNote },
  baseURL: { fate: "pool", env: "GROQ_BASE_URL", null: true, note: baseURLNote },
  ...common,
  defaultHeaders: defaultHeaders("GROQ_CUSTOM_HEADERS"),
  ...modern,
  logLevel: { fate: "sdk", type: "string", env: "GROQ_LOG", note: "Passed to the SDK" },
  ...ours
} as const satisfies Table

const sdkSpec: SdkOptionsSpec<"groq", never> = { spec, table, settle: plain(spec) }

export const read = (options?: unknown): Reading<"groq"> | Bypass => readOptions(sdkSpec, options)

export const rawKey = rawKeyOf(sdkSpec)
