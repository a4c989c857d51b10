/** Credentials whose loads are counted, and uses of them as a request would. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Layer from "effect/Layer"
import * as Credential from "../../src/Credential.ts"
import * as SecretSource from "../../src/internal/credential/secretSource.ts"

const place = { provider: "test", baseURL: "http://test.invalid/v1" }

export const open = (credential: Redacted.Redacted | Credential.Credential) => SecretSource.make(place, credential)

/** Takes the secret as a request does: the one at hand, else it waits. */
export const take = (source: SecretSource.SecretSource): Effect.Effect<Redacted.Redacted, unknown> =>
  Effect.tryPromise({
    try: (signal) => {
      const secret = source.peek()
      return secret === undefined ? source.load(signal) : Promise.resolve(secret)
    },
    catch: (error) => error
  })

export const use = (source: SecretSource.SecretSource): Effect.Effect<string, unknown> =>
  Effect.map(take(source), Redacted.value)

/** The secret at hand; undefined if a request would have to wait. */
export const peek = (source: SecretSource.SecretSource): string | undefined => {
  const secret = source.peek()
  return secret === undefined ? undefined : Redacted.value(secret)
}

/** Until all that can run without waiting has run. */
export const idle: Effect.Effect<void> = Effect.promise(async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  // After many turns without a rest effect's scheduler goes on in a timer.
  await new Promise((resolve) => setTimeout(resolve, 1))
})

/** Loads `token-1`, `token-2`, ..., each of which lives for `life` ms. */
export const counting = (
  options: Partial<Credential.Options> & {
    readonly life: number
    /** Run before each load, with its number. */
    readonly before?: (load: number) => Effect.Effect<void, unknown>
  }
) => {
  const { before, life, ...rest } = options
  const ledger: Array<string> = []
  const credential = Credential.make({
    id: "vault",
    load: Effect.suspend(() => {
      const token = `token-${ledger.length + 1}`
      ledger.push(token)
      return Effect.zipRight(
        before?.(ledger.length) ?? Effect.void,
        Effect.map(Clock.currentTimeMillis, (now) => ({
          secret: Redacted.make(token),
          expiresAt: new Date(now + life)
        }))
      )
    }),
    ...rest
  })
  return { credential, ledger }
}

/** Collects what is logged, level and text. */
export const logs = (): { readonly lines: Array<string>; readonly layer: Layer.Layer<never> } => {
  const lines: Array<string> = []
  const layer = Logger.add(
    Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel.label} ${Array.isArray(message) ? message.join(" ") : String(message)}`)
    })
  )
  return { lines, layer }
}
