/** Pooled fetches for libraries that bring a client of their own: the four providers without their SDKs. */
import { OptionsError } from "../../ClientError.ts"
import type { FetchOptions } from "../../Promise.ts"
import type { Provider } from "../../Provider.ts"
import type { Bare } from "../client/bareProviders.ts"
import * as providers from "../client/bareProviders.ts"
import * as azure from "./options/azure.ts"
import * as cerebras from "./options/cerebras.ts"
import * as groq from "./options/groq.ts"
import type { RawKey } from "./options/key.ts"
import * as openai from "./options/openai.ts"
import { type Bypass, isBypass, type Reading } from "./options/reading.ts"
import type { ClientSet } from "./set.ts"
import { here, SITE } from "../sdk/callSite.ts"
import { withResponse } from "../http/withResponse.ts"

interface FetchSpec<P extends string, Extra extends string> {
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly read: (options?: unknown) => Reading<P> | Bypass
  readonly rawKey: RawKey
}

const fetchSpec = <P extends string, Extra extends string>(
  provider: Provider<Bare, Bare, P, Extra>,
  { rawKey, read }: Pick<FetchSpec<P, Extra>, "read" | "rawKey">
): FetchSpec<P, Extra> => ({ provider, read, rawKey })

const fetchSpecs = {
  openai: fetchSpec(providers.openai, openai),
  azure: fetchSpec(providers.azure, azure),
  groq: fetchSpec(providers.groq, groq),
  cerebras: fetchSpec(providers.cerebras, cerebras)
}

/** As libraries write it who ask for a stream: JSON, or text with spaces in it. */
const asksForStream = (body: unknown): boolean => typeof body === "string" && /"stream"\s*:\s*true/.test(body)

/** Tells where a stream was asked for that is dropped before its end. */
const watched = (fetch: typeof globalThis.fetch): typeof globalThis.fetch => {
  const pooled: typeof globalThis.fetch = (input, init) =>
    fetch(input, asksForStream(init?.body) ? ({ ...init, [SITE]: here(pooled) } as RequestInit) : init)
  return withResponse(pooled)
}

const open = <P extends string, Extra extends string>(
  set: ClientSet,
  { provider, rawKey, read }: FetchSpec<P, Extra>,
  options: object
): typeof globalThis.fetch =>
  set.object(provider, rawKey(options), () => {
    const reading = read(options)
    if (isBypass(reading)) {
      throw new OptionsError({
        provider: provider.id,
        field: "options",
        received: reading.bypass,
        expected: "options that the pool supports: with others call that fetch directly"
      })
    }
    const { config } = reading
    return { config, sdk: {}, make: () => watched(set.fetchOf(provider, config)) }
  })

export const fetchOf = (set: ClientSet, options: FetchOptions = {}): typeof globalThis.fetch => {
  const { provider = "openai", ...more } = options
  switch (provider) {
    case "openai":
      return open(set, fetchSpecs.openai, more)
    case "azure":
      return open(set, fetchSpecs.azure, more)
    case "groq":
      return open(set, fetchSpecs.groq, more)
    case "cerebras":
      return open(set, fetchSpecs.cerebras, more)
    default:
      throw new OptionsError({
        provider: "clientele",
        field: "provider",
        received: "an unknown provider",
        expected: Object.keys(fetchSpecs).join(", ")
      })
  }
}
