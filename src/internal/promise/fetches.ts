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

interface Door<P extends string, Extra extends string> {
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly read: (options?: unknown) => Reading<P> | Bypass
  readonly rawKey: RawKey
}

const door = <P extends string, Extra extends string>(
  provider: Provider<Bare, Bare, P, Extra>,
  { rawKey, read }: Pick<Door<P, Extra>, "read" | "rawKey">
): Door<P, Extra> => ({ provider, read, rawKey })

const doors = {
  openai: door(providers.openai, openai),
  azure: door(providers.azure, azure),
  groq: door(providers.groq, groq),
  cerebras: door(providers.cerebras, cerebras)
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
  { provider, rawKey, read }: Door<P, Extra>,
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
      return open(set, doors.openai, more)
    case "azure":
      return open(set, doors.azure, more)
    case "groq":
      return open(set, doors.groq, more)
    case "cerebras":
      return open(set, doors.cerebras, more)
    default:
      throw new OptionsError({
        provider: "clientele",
        field: "provider",
        received: "an unknown provider",
        expected: Object.keys(doors).join(", ")
      })
  }
}
