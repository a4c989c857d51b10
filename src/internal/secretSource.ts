/** A config's secret as the request path wants it: at once where it is known, else loaded once for all who ask. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type { ClientConfig } from "../ClientConfig.ts"
import { RequestError } from "../ClientError.ts"
import * as Credential from "./credential.ts"

export interface SecretSource {
  /** What is known and good now. */
  readonly peek: () => Redacted.Redacted | undefined
  /** Rejects with a RequestError, or with the signal's reason. */
  readonly load: (signal: AbortSignal | undefined) => Promise<Redacted.Redacted>
}

export const make = (config: ClientConfig): Effect.Effect<SecretSource> => {
  const { baseURL, credential, provider } = config
  if (Redacted.isRedacted(credential)) {
    return Effect.succeed({ peek: () => credential, load: () => Promise.resolve(credential) })
  }
  const load = Effect.mapError(
    Credential.load(credential),
    (cause) =>
      new RequestError({
        provider,
        baseURL,
        reason: "Authentication",
        detail: `credential ${credential.id} could not be loaded; the request was not sent`,
        processed: "no",
        attempts: 0,
        cause
      })
  )
  return Effect.map(Effect.runtime(), (runtime) => ({
    peek: () => Credential.peek(credential, Date.now()),
    load: (signal) =>
      Runtime.runPromiseExit(runtime)(load, signal === undefined ? undefined : { signal }).then((exit) => {
        if (exit._tag === "Success") return exit.value
        if (signal?.aborted) throw signal.reason
        throw Cause.squash(exit.cause)
      })
  }))
}
