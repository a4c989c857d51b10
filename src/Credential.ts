/**
 * A provider's secret that changes with time: Entra tokens, keys in a vault, short-lived gateway tokens.
 *
 * A credential is known by its `id` (and `version`), never by the secret it holds at the moment: a new token is the
 * same client. Whoever needs the secret first loads it, all others wait for that one load, and it is kept until
 * shortly before it expires. A load that fails is not remembered. A key that never changes needs none of this: give
 * `Redacted.make(key)` as `apiKey`.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Equal from "effect/Equal"
import type { Inspectable } from "effect/Inspectable"
import type * as Redacted from "effect/Redacted"
import * as internal from "./internal/credential.ts"

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: typeof internal.TypeId = internal.TypeId

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * A secret known by its name. Equal and hashed by `id` and `version`; printing shows these alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credential extends Equal.Equal, Inspectable {
  readonly [TypeId]: TypeId
  readonly id: string
}

/**
 * A secret, and when it stops working.
 *
 * @since 0.1.0
 * @category models
 */
export interface Expiring {
  readonly secret: Redacted.Redacted
  readonly expiresAt: Date
}

/**
 * What a secret is called, and how it is had.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** What the secret is called. Two credentials of one id and version are taken for the same, whatever they load. */
  readonly id: string
  /**
   * Fetches the secret. It runs in the fiber of the first who needs it, and others wait for it; when all who waited
   * are gone it is interrupted. Without `expiresAt` the secret is kept for good.
   */
  readonly load: Effect.Effect<Redacted.Redacted | Expiring, unknown>
  /**
   * How long before `expiresAt` the secret is loaded anew. A secret that lives no longer than this is used for half
   * of its life. A number is milliseconds.
   *
   * @default "1 minute"
   */
  readonly refreshBefore?: Duration.DurationInput | undefined
  /**
   * Part of the identity: another version is another client, and borrowers finish on the old one. An effect is run
   * each time that a config is made from options, so let it be cheap.
   *
   * @default none
   */
  readonly version?: string | number | Effect.Effect<string | number> | undefined
}

/**
 * A secret that is loaded when it is needed.
 *
 * @example
 * ```ts
 * import * as AzureOpenAiClient from "clientele/AzureOpenAiClient"
 * import * as Credential from "clientele/Credential"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * declare const getToken: (scope: string) => Promise<{ token: string; expiresOnTimestamp: number }>
 *
 * const entra = Credential.make({
 *   id: "entra/my-app",
 *   load: Effect.map(
 *     Effect.tryPromise(() => getToken("https://cognitiveservices.azure.com/.default")),
 *     ({ expiresOnTimestamp, token }) => ({
 *       secret: Redacted.make(token),
 *       expiresAt: new Date(expiresOnTimestamp)
 *     })
 *   )
 * })
 *
 * export const models = AzureOpenAiClient.use({ apiKey: entra }, (azure) => azure.models.list())
 * ```
 *
 * @throws OptionsError if `id`, `refreshBefore` or `version` can't be used: these are written in the program.
 * @since 0.1.0
 * @category constructors
 */
export const make: (options: Options) => Credential = internal.make

/**
 * A secret that never changes. As `apiKey` it means the same as the `Redacted` itself.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fixed: (secret: Redacted.Redacted) => Credential = internal.fixed

/**
 * Whether it came from `make` or `fixed`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isCredential: (u: unknown) => u is Credential = internal.isCredential
