/** URLs and headers that all requests of a config have in common, read once. */
import type { ClientConfig } from "../../ClientConfig.ts"
import { readOnce } from "../http/headers.ts"
import { ACCEPT_ENCODING } from "../http/prepare.ts"
import { exactHeaders } from "../redaction/redact.ts"
import type { Api } from "./apis.ts"
import type { Query } from "./options.ts"

type Headers = Readonly<Record<string, string>>

export interface Endpoint {
  readonly url: (path: string, query: Query | undefined) => string
  /** Headers of a request with a JSON body. Names in lower case. */
  readonly withBody: Headers
  readonly bodiless: Headers
}

/** URLs kept of paths without a query. Paths may hold names, so there is a bound. */
const MAX_URLS = 32

/** In the order of the SDKs: later ones replace those before. */
const headersOf = <P extends string, Extra extends string>(
  { secret: [name, value] }: Api<P, Extra>,
  { extra, headers }: ClientConfig<P>
): Headers => ({
  accept: "application/json",
  "accept-encoding": ACCEPT_ENCODING,
  "user-agent": "clientele",
  ...(extra["organization"] !== undefined && { "openai-organization": extra["organization"] }),
  ...(extra["project"] !== undefined && { "openai-project": extra["project"] }),
  [name]: value,
  // Without a variable there are no `null`s.
  ...(exactHeaders(undefined, headers) as Record<string, string>)
})

/** Throws a TypeError for a value that a query can't hold. */
const addTo = (params: URLSearchParams, query: Query): void => {
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    params.delete(name)
    if (Array.isArray(value)) for (const one of value) params.append(`${name}[]`, text(name, one))
    else params.set(name, text(name, value))
  }
}

const text = (name: string, value: unknown): string => {
  if (value === null || value === undefined) return ""
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value)
  throw new TypeError(`the query parameter "${name}" is no string, number or boolean`)
}

const make = <P extends string, Extra extends string>(api: Api<P, Extra>, config: ClientConfig<P>): Endpoint => {
  const { apiVersion } = config.extra
  const common: Query = { ...config.query, ...(apiVersion !== undefined && { "api-version": apiVersion }) }
  const urls = new Map<string, string>()
  const bodiless = headersOf(api, config)

  const build = (path: string, query: Query | undefined): string => {
    const url = new URL(config.baseURL + path)
    addTo(url.searchParams, common)
    if (query !== undefined) addTo(url.searchParams, query)
    return url.href
  }

  return {
    url: (path, query) => {
      if (query !== undefined) return build(path, query)
      let url = urls.get(path)
      if (url === undefined) {
        url = build(path, undefined)
        if (urls.size >= MAX_URLS) urls.clear()
        urls.set(path, url)
      }
      return url
    },
    withBody: readOnce({ ...bodiless, "content-type": "application/json" }),
    bodiless: readOnce(bodiless)
  }
}

const endpoints = new WeakMap<ClientConfig, Endpoint>()

/** A config belongs to one provider, and so to one API. */
export const endpointOf = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>
): Endpoint => {
  let endpoint = endpoints.get(config)
  if (endpoint === undefined) endpoints.set(config, (endpoint = make(api, config)))
  return endpoint
}
