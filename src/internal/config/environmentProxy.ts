/**
 * `proxy: "env"`: which proxy the environment names for an address, by the rules of curl and most of what runs beside it
 * (everything.curl.dev/usingcurl/proxies/env). The result is the config's, so two environments are two keys.
 */
import { isIP, isIPv6 } from "node:net"
import * as Redacted from "effect/Redacted"
import type { At } from "../options/validate.ts"
import type { Environment } from "./environment.ts"
import { proxyAddress } from "./url.ts"

/** All variables that can matter. */
export const variables: ReadonlyArray<string> = [
  "http_proxy",
  "HTTP_PROXY",
  "https_proxy",
  "HTTPS_PROXY",
  "no_proxy",
  "NO_PROXY",
  "REQUEST_METHOD"
]

/** Throws an OptionsError that names the variable, and not what is in it. */
export const environmentProxy = (
  provider: string,
  baseURL: string,
  env: Environment
): Redacted.Redacted | undefined => {
  const { hostname, port, protocol } = new URL(baseURL)
  const secure = protocol === "https:"
  const upper = secure ? "HTTPS_PROXY" : "HTTP_PROXY"
  const lower = upper.toLowerCase()
  const variable = env(lower) === undefined ? upper : lower
  // A web server gives its CGI programs a request's header `Proxy` under this name (CVE-2016-5385, "httpoxy").
  if (variable === "HTTP_PROXY" && env("REQUEST_METHOD") !== undefined) return undefined
  const found = env(variable)
  if (found === undefined) return undefined
  const exceptions = env("no_proxy") ?? env("NO_PROXY") ?? ""
  if (isException(exceptions, hostname, port === "" ? (secure ? "443" : "80") : port)) return undefined
  const at: At = { provider, field: variable }
  return Redacted.make(proxyAddress(at, found.includes("://") ? found : `http://${found}`))
}

/**
 * True if a list of exceptions matches the host: `*` matches all; a name matches itself and its subdomains, with or
 * without a dot before it in the list; an address matches itself alone, since most programs do not understand ranges
 * (10.0.0.0/8); an entry with a port matches that port alone.
 */
const isException = (list: string, hostname: string, port: string): boolean => {
  const host = canonical(hostname)
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true
    const parts = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry)
    if (parts !== null && parts[2] !== port) return false
    const name = canonical((parts?.[1] ?? entry).replace(/^\*?\./, ""))
    return name !== "" && (host === name || (isIP(host) === 0 && host.endsWith(`.${name}`)))
  })
}

/** One spelling for a name or address. */
const canonical = (host: string): string => {
  const bare = host.replace(/^\[|\]$/g, "").replace(/\.$/, "")
  return isIPv6(bare) ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : bare.toLowerCase()
}
