/** A `fetch` to wherever a request goes: a client for each origin and credential, leased for each request. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { CommonOptions } from "../../ClientConfig.ts"
import type { Service } from "../../ClientMap.ts"
import { http } from "./bareProviders.ts"
import { OWN, type Own } from "../request/pooledFetch.ts"
import * as Leasing from "./leasedFetch.ts"
import { credentialOf } from "../http/credential.ts"

type Fetch = typeof globalThis.fetch

export type Options = Omit<CommonOptions, "apiKey" | "baseURL" | "headers" | "query">

/** Pairs of origin and credential whose `fetch` is kept; beyond that the oldest is dropped, and made again on use. */
const MAX_KEPT_FETCHES = 1_024

/** The `HttpClient` above it has spans of its own. */
const own: Own = { isTraced: true }

/** The map closes with its layer, and has an error of its own. */
const open = { shut: undefined }

export const make = (service: Service, options: Options): Fetch => {
  const host = { service: () => service }
  const known = new Map<string, Fetch>()

  /** Throws an OptionsError. */
  const fetchTo = (origin: string, credential: string): Fetch => {
    const key = `${origin} ${credential}`
    let fetch = known.get(key)
    if (fetch === undefined) {
      const config = Effect.either(http.config({ ...options, baseURL: origin, apiKey: Redacted.make(credential) }))
      fetch = Leasing.make(
        host,
        open,
        http,
        Either.getOrThrowWith(Effect.runSync(config), (error) => error)
      ).fetch
      const [oldest] = known.keys()
      if (known.size >= MAX_KEPT_FETCHES && oldest !== undefined) known.delete(oldest)
      known.set(key, fetch)
    }
    return fetch
  }

  return async (input, init) => {
    const isRequest = typeof input === "object" && "url" in input
    const { origin } = new URL(isRequest ? input.url : input)
    const headers = new Headers(init?.headers ?? (isRequest ? input.headers : undefined))
    return fetchTo(origin, credentialOf(headers))(input, { ...init, [OWN]: own } as RequestInit)
  }
}
