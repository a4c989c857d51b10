/** The options of `new Cerebras`. */
import type { ClientOptions } from "@cerebras/cerebras_cloud_sdk"
import { cerebras as spec } from "../../config/specs.ts"
import { rawKeyOf } from "./key.ts"
import { type SdkOptionsSpec, type Draft, read as readOptions } from "./read.ts"
import type { Bypass, Reading } from "./reading.ts"
import { plain } from "./secret.ts"
import { apiKeyNote, baseURLNote, common, defaultHeaders, ours, type Table } from "./table.ts"
import type { PoolOptions, WrappedKey } from "./types.ts"

/**
 * All options of `new Cerebras`, and those of clientele. docs/options.md describes each.
 *
 * @since 0.1.0
 * @category models
 */
export interface CerebrasOptions extends Omit<ClientOptions, "apiKey">, PoolOptions {
  /**
   * The key.
   *
   * @default the environment's `CEREBRAS_API_KEY`
   */
  readonly apiKey?: ClientOptions["apiKey"] | WrappedKey
}

export const table = {
  apiKey: { fate: "pool", env: "CEREBRAS_API_KEY", null: true, identity: true, note: apiKeyNote },
  baseURL: { fate: "pool", env: "CEREBRAS_BASE_URL", null: true, note: baseURLNote },
  ...common,
  defaultHeaders: defaultHeaders("CEREBRAS_CUSTOM_HEADERS"),
  httpAgent: { fate: "unpooled", note: common.fetch.note },
  warmTCPConnection: {
    fate: "nothing",
    note:
      "Connections are never warmed, where the bare SDK sends a request for each client: the first real request opens a " +
      "connection, and later ones reuse it"
  },
  ...ours
} as const satisfies Table

const settle = (draft: Draft): void => {
  plain(spec)(draft)
  draft.sdk["warmTCPConnection"] = false
  // With this SDK alone `undefined` takes a header away, as `null` does.
  const given = draft.options["headers"]
  if (typeof given !== "object" || given === null || Symbol.iterator in given) return
  draft.options["headers"] = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value ?? null]))
}

const sdkSpec: SdkOptionsSpec<"cerebras", never> = { spec, table, settle }

export const read = (options?: unknown): Reading<"cerebras"> | Bypass => readOptions(sdkSpec, options)

export const rawKey = rawKeyOf(sdkSpec)
