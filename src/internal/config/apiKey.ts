import * as Redacted from "effect/Redacted"
import type { Credential } from "../../Credential.ts"
import { fixedSecret, isCredential } from "../credential/model.ts"
import { type At, describe, invalid } from "../options/validate.ts"
import { secret } from "../options/secret.ts"

const wrap =
  "Redacted.make(key), Credential.make({ id, load }) for keys that change, or Credential.pool([...]) for several"

/** Only wrapped secrets come in, so that no options object ever prints one. */
export const apiKey = (at: At, input: unknown): Redacted.Redacted | Credential => {
  if (isCredential(input)) {
    const fixed = fixedSecret(input)
    return fixed === undefined ? input : secret(at, fixed, wrap)
  }
  if (Redacted.isRedacted(input)) return secret(at, input, wrap)
  throw invalid(at, typeof input === "string" ? "a plain string" : describe(input), wrap)
}
