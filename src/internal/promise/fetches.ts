/** Pooled fetches for libraries that bring a client of their own: the four providers without their SDKs. */
import * as Context from "effect/Context"
import { OptionsError } from "../../ClientError.ts"
import type { FetchOptions } from "../../Promise.ts"
import { make, type Provider } from "../../Provider.ts"
import type { Spec } from "../../ClientConfig.ts"
import * as specs from "../config/specs.ts"
import * as azure from "./options/azure.ts"
import * as cerebras from "./options/cerebras.ts"
import * as groq from "./options/groq.ts"
import type { RawKey } from "./options/key.ts"
import * as openai from "./options/openai.ts"
import { type Bypass, isBypass, type Reading } from "./options/reading.ts"
import { type Authorize, ofAzure } from "../secrets.ts"
import type { ClientSet } from "./set.ts"

/** What a client is where there is no SDK: requests go through the outlet alone. */
type Bare = Readonly<Record<never, never>>

const bare: Bare = Object.freeze({})

interface Door<P extends string, Extra extends string> {
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly read: (options?: unknown) => Reading<P> | Bypass
  readonly rawKey: RawKey
}

const door = <P extends string, Extra extends string>(
  spec: Spec<P, Extra>,
  { rawKey, read }: Pick<Door<P, Extra>, "read" | "rawKey">,
  authorize?: Authorize
): Door<P, Extra> => ({
  provider: make({
    tag: Context.GenericTag<Bare>(`clientele/internal/fetch/${spec.id}`),
    spec,
    authorize,
    construct: () => bare
  }),
  read,
  rawKey
})

const doors = {
  openai: door(specs.openai, openai),
  azure: door(specs.azure, azure, ofAzure),
  groq: door(specs.groq, groq),
  cerebras: door(specs.cerebras, cerebras)
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
        expected: "options that the pool can keep: a fetch of one's own needs no other"
      })
    }
    const { config } = reading
    return { config, sdk: {}, make: () => set.fetchOf(provider, config) }
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
        received: "the name of no provider",
        expected: Object.keys(doors).join(", ")
      })
  }
}
