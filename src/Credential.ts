/**
 * A provider's secret that changes with time (Entra tokens, keys in a vault, short-lived gateway tokens), and several
 * secrets used as one.
 *
 * A credential is identified by its `id` (and `version`), never by its current secret: a new token is the same client.
 * The first request loads the secret, and all others wait for that one load. Shortly before it expires the next is
 * loaded in the background, while requests go on with the current one. If the provider answers 401,
 * it is loaded anew and the request is sent once more. A key that never changes needs none of this: give
 * `Redacted.make(key)` as `apiKey`.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Equal from "effect/Equal"
import type { Inspectable } from "effect/Inspectable"
import type * as Redacted from "effect/Redacted"
import * as internal from "./internal/credential/model.ts"

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
 * One secret or several. Equal and hashed by `id` and `version`, a fixed one by its secret, a pool by its members in
 * their order; printing never shows a secret.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credential extends Equal.Equal, Inspectable {
  readonly [TypeId]: TypeId
  /** As given to `make`; "fixed" or "pool" of the other two. */
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
 * Identity of a secret, and how to load it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Name of the secret. Two credentials of one id and version are treated as the same, whatever they load. */
  readonly id: string
  /**
   * Fetches the secret: once for all waiting requests; when all of them are gone it is interrupted. It runs with the
   * services and the logger of the client that asks first, outside of any one request. Let it end by itself
   * (`Effect.timeout`): while it runs no other is begun. Without `expiresAt` the secret is kept until it is refused.
   * A secret that has expired when it comes is a failure.
   *
   * A failed load is not cached: its waiters fail with a `RequestError` of reason "Authentication", and the next request
   * loads again. A refresh ahead of expiry has no waiters: its failure is logged once as a warning, the current secret
   * stays in use until it expires, and the next try comes after 1 second, then 2, 4, ... up to a minute, at most half of
   * the rest of its life.
   */
  readonly load: Effect.Effect<Redacted.Redacted | Expiring, unknown>
  /**
   * Time before `expiresAt` from which a use starts to load the next secret, and goes on with the current one. A secret
   * that lives no longer than this is refreshed from half of its life on. A number is milliseconds; 0 never loads
   * ahead.
   *
   * @default "1 minute"
   */
  readonly refreshBefore?: Duration.DurationInput | undefined
  /**
   * Part of the identity: a config made after it changed is another client, and borrowers finish on the old one.
   *
   * An effect returns the current version. It is run each time that a config is made from options, and for each
   * request: once it gives another version, the next request of any client, old or new, goes out with a secret whose
   * load began after that; those in flight finish. So let it be cheap: read a variable or a `Ref`, and cache
   * the answer of a slower source (`Effect.cachedWithTTL`). If it fails or gives no version, making a config
   * fails with an `OptionsError`; requests go on with the last version known, and a warning is logged once.
   *
   * @default none
   */
  readonly version?: string | number | Effect.Effect<string | number, unknown> | undefined
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
 * Several secrets of one provider as one credential: keys of several projects, or the same deployment's two accounts.
 * Each keeps a budget of its own, as the provider counts it, and each request goes to the one that can send it
 * earliest. Members are secrets of equal worth to the same base URL.
 *
 * Two pools are equal if their members are, in the same order. Pools inside are flattened. A secret given twice counts
 * once, since it has one budget; one that is left alone is the same as without a pool.
 *
 * @example
 * ```ts
 * import * as Credential from "clientele/Credential"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * declare const readFromVault: (path: string) => Effect.Effect<string, Error>
 *
 * const keys = Credential.pool([
 *   Redacted.make("gsk-of-team-a"),
 *   Redacted.make("gsk-of-team-b"),
 *   Credential.make({ id: "vault/groq", load: Effect.map(readFromVault("groq/key"), Redacted.make) })
 * ])
 *
 * export const models = GroqClient.use({ apiKey: keys, quota: { requestsPerMinute: 30 } }, (groq) => groq.models.list())
 * ```
 *
 * @throws OptionsError if it is empty or holds something else: these are written in the program.
 * @since 0.1.0
 * @category constructors
 */
export const pool: (credentials: ReadonlyArray<Redacted.Redacted | Credential>) => Credential = internal.pool

/**
 * True for a credential from `make`, `fixed` or `pool`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isCredential: (u: unknown) => u is Credential = internal.isCredential
