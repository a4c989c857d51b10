/** The APIs of the four providers, one object for each meaning of options. */
import { OptionsError } from "../../ClientError.ts"
import type { FetchOptions } from "../../Promise.ts"
import * as apis from "../direct/apis.ts"
import { make, type PromiseApi } from "../direct/promises.ts"
import * as azure from "./options/azure.ts"
import * as cerebras from "./options/cerebras.ts"
import * as groq from "./options/groq.ts"
import type { RawKey } from "./options/key.ts"
import * as openai from "./options/openai.ts"
import { type Bypass, isBypass, type Reading } from "./options/reading.ts"
import type { ClientSet } from "./set.ts"

interface Readers<P extends string> {
  readonly read: (options?: unknown) => Reading<P> | Bypass
  readonly rawKey: RawKey
}

const refuse = (provider: string, field: string, received: string, expected: string): never => {
  throw new OptionsError({ provider, field, received, expected })
}

const isFunction = (u: unknown): boolean => typeof u === "function"

const getter =
  <P extends string, Extra extends string>(api: apis.Api<P, Extra>, { rawKey, read }: Readers<P>) =>
  (set: ClientSet, options: Omit<FetchOptions, "provider"> = {}): PromiseApi =>
    set.object(api, rawKey(options), () => {
      const reading = read(options)
      const { id } = api.provider
      if (isBypass(reading)) {
        return refuse(id, "options", reading.bypass, "options that the pool can keep: there is no SDK to go past it")
      }
      const { config, sdk } = reading
      if ([sdk["apiKey"], sdk["azureADTokenProvider"]].some(isFunction)) {
        refuse(id, "apiKey", "a function", "a string, or a Credential, which loads and renews what changes")
      }
      const nulls = sdk["defaultHeaders"] as Readonly<Record<string, null>> | undefined
      return {
        config,
        sdk: { defaultHeaders: nulls },
        make: () => make(api, config, set.leasedFetchOf(api.provider, config), nulls)
      }
    })

export const openaiApi = getter(apis.openai, openai)
export const azureApi = getter(apis.azure, azure)
export const groqApi = getter(apis.groq, groq)
export const cerebrasApi = getter(apis.cerebras, cerebras)
