import type * as Redacted from "effect/Redacted"
import type { CommonOptions } from "../../../ClientConfig.ts"
import type { Credential } from "../../../Credential.ts"
import type { TransportOptions } from "../../transport/transportOptions.ts"

/**
 * Our options beside those of each SDK.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions extends Pick<
  CommonOptions,
  "bodyTimeout" | "deadline" | "retryAmbiguous" | "maxRetryAfter" | "queueTimeout" | "quota"
> {
  /**
   * Creation and limits of connections. Its `key` may be a plain string here.
   *
   * @default each of its fields
   */
  readonly transport?:
    | (Omit<TransportOptions, "key"> & { readonly key?: string | Redacted.Redacted | undefined })
    | undefined
}

/**
 * A key that is wrapped, or one that changes with time, in place of the plain string that SDKs take.
 *
 * @since 0.1.0
 * @category models
 */
export type WrappedKey = Redacted.Redacted | Credential
