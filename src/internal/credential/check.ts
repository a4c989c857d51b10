/** Validates a credential's options and the results of its loads. Secrets are never quoted. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Expiring } from "../../Credential.ts"
import { type At, describe, invalid } from "../options/validate.ts"
import { secret as headerSecret } from "../options/secret.ts"

export type Version = string | number

/** A loaded secret. Times are milliseconds since the epoch, `Infinity` for never. */
export interface Loaded {
  readonly secret: Redacted.Redacted
  readonly expiresAt: number
  /** From then on it is time to load the next. */
  readonly refreshAt: number
}

export const thrown = <A>(f: () => A): Effect.Effect<A, unknown> => Effect.try({ try: f, catch: (error) => error })

export const at = (field: string): At => ({ provider: "credential", field })

export const version = (input: unknown): Version => {
  if (typeof input === "string" || (typeof input === "number" && Number.isFinite(input))) return input
  throw invalid(at("version"), describe(input), "a string or a finite number")
}

export const loads = "Redacted.make(secret) or { secret: Redacted.make(secret), expiresAt: a Date }"

export const loaded = (id: string, input: unknown, now: number, refreshBefore: number): Loaded => {
  const where = at(`${id}.load`)
  if (Redacted.isRedacted(input)) {
    return { secret: headerSecret(where, input, loads), expiresAt: Infinity, refreshAt: Infinity }
  }
  const { expiresAt, secret } = (input ?? {}) as Partial<Expiring>
  if (!Redacted.isRedacted(secret)) throw invalid(where, `an effect of ${describe(input)}`, loads)
  const expires = expiresAt instanceof Date ? expiresAt.getTime() : Number.NaN
  if (Number.isNaN(expires)) throw invalid(where, "a secret without a valid expiresAt", loads)
  if (expires <= now) {
    throw invalid(where, "an expired secret", "an expiresAt in the future of this machine's clock")
  }
  const early = expires - refreshBefore
  // A secret that lives no longer than `refreshBefore` would be loaded again at once.
  const refreshAt = early > now ? early : now + (expires - now) / 2
  return { secret: headerSecret(where, secret, loads), expiresAt: expires, refreshAt }
}
