/** An SDK object over a pooled fetch, made from what its constructor's options were read as. */
import * as Redacted from "effect/Redacted"
import type { ClientConfig, Spec } from "../../ClientConfig.ts"
import { toConsole } from "../sdk/sdkLog.ts"
import { exactHeaders, hiddenOf, PLACEHOLDER, scrub } from "../redaction/redact.ts"
import { type Classes, type Style, translator, unwrap, wrap } from "./errors.ts"
import type { Reading } from "./options/reading.ts"
import type { Pooled } from "../sdk/sharedFields.ts"
import { construct } from "../sdk/sharedClient.ts"

/** An SDK. */
export interface Kind<A extends object> {
  readonly sdk: (new (options: never) => A) & Classes
  readonly style: Style
  readonly spec: Spec
}

export const make = <A extends object>(
  kind: Kind<A>,
  { config, sdk }: Reading,
  fetch: typeof globalThis.fetch,
  withOptions: NonNullable<Pooled["withOptions"]>
): A => {
  const token = [sdk["apiKey"], sdk["azureADTokenProvider"]].find(isFunction)
  const options = {
    logger: toConsole(scrubbing(config)),
    ...sdk,
    // `endpoint` is in it already.
    endpoint: undefined,
    baseURL: sdk["baseURL"] ?? config.baseURL,
    // `null` rather than absent: the SDK would ask the environment, and refuse a key beside a function.
    apiKey: "apiKey" in sdk ? sdk["apiKey"] : token === undefined ? PLACEHOLDER : null,
    fetch: wrap(fetch),
    defaultHeaders: headersOf(kind.spec.env?.headers, config, sdk["defaultHeaders"]),
    defaultQuery: { ...config.query }
  }
  const told = translator(kind.sdk, kind.style)
  return construct(kind.sdk, options, config, {
    apiKey: () => keyOf(config, sdk),
    token,
    unwrap: unwrap(told),
    told,
    watched: true,
    withOptions
  })
}

const isFunction = (u: unknown): u is () => unknown => typeof u === "function"

/**
 * Redacts a fixed secret. Other secrets are unknown here; the pool's own fetch has removed them from the provider's
 * messages.
 */
const scrubbing = (config: ClientConfig): ((text: string) => string) => {
  const hidden = hiddenOf(config)
  const { credential } = config
  const secret = Redacted.isRedacted(credential) ? credential : Redacted.make("")
  return (text) => scrub(text, secret, hidden)
}

/** As the SDK has it: `null` for a function, or without a key. The key of a changing credential is unknown. */
const keyOf = ({ credential }: ClientConfig, sdk: Reading["sdk"]): string | null =>
  "apiKey" in sdk || !Redacted.isRedacted(credential) ? null : Redacted.value(credential)

/** With a caller's own `null`s, which keep headers out. */
const headersOf = (
  variable: string | undefined,
  { headers }: ClientConfig,
  nulls: unknown
): Record<string, string | null> => {
  const all = exactHeaders(variable, headers)
  return typeof nulls === "object" && nulls !== null ? { ...all, ...nulls } : all
}
