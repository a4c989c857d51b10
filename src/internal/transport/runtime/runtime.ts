/**
 * The runtime that this process is, as far as requests depend on it. Node and Deno have node:net, node:tls and node:http2
 * in full, and get the pool's own sockets. Bun and others have parts of them: there requests go through the runtime's own
 * `fetch`, one slot of the pool each.
 */
import * as http2 from "node:http2"
import * as net from "node:net"

/** The parts of a route to an origin that a runtime's `fetch` may take. */
interface FetchRoute {
  /** URL of an HTTP proxy. Secret. */
  readonly proxy?: string | undefined
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  /** Secret. */
  readonly key?: string | undefined
}

/** A runtime whose own `fetch` sends the requests. */
export interface FetchRuntime {
  /** As errors name it. */
  readonly name: string
  readonly fetch: typeof globalThis.fetch
  /** Requests that its `fetch` sends at once, whatever their origins: more would wait unseen. */
  readonly maxRequests: number
  /** The variable that raises `maxRequests`, if there is one. */
  readonly maxRequestsVariable: string | undefined
  /** True if its `fetch` decodes content codings before the pool sees the body. */
  readonly decodes: boolean
  /** True if its `fetch` takes a proxy and certificates. */
  readonly routes: boolean
  /** True if options that only tune connections of ours are refused, false if they are ignored. */
  readonly isStrict: boolean
  /** Members of `RequestInit` that are its own. */
  readonly init: (route: FetchRoute) => Readonly<Record<string, unknown>>
}

const BUN_MAX_REQUESTS = "BUN_CONFIG_MAX_HTTP_REQUESTS"
/** https://bun.com/docs/api/fetch: requests beyond it wait in Bun. */
const BUN_DEFAULT_MAX_REQUESTS = 256

const bunMaxRequests = (): number => {
  const given = Number(process.env[BUN_MAX_REQUESTS])
  return Number.isInteger(given) && given > 0 && given < 65_536 ? given : BUN_DEFAULT_MAX_REQUESTS
}

const bun = (version: string): FetchRuntime => ({
  name: `Bun ${version}`,
  fetch: globalThis.fetch,
  maxRequests: bunMaxRequests(),
  maxRequestsVariable: BUN_MAX_REQUESTS,
  decodes: false,
  routes: true,
  isStrict: true,
  init: ({ ca, cert, key, proxy }) => ({
    // Bun ends requests that are silent for five minutes; the pool has clocks of its own.
    timeout: false,
    decompress: false,
    ...(proxy === undefined ? undefined : { proxy }),
    ...(ca === undefined && cert === undefined ? undefined : { tls: { ca, cert, key } })
  })
})

/** A runtime of which no more is known than that it has `fetch`. */
export const anyRuntime = (name: string): FetchRuntime => ({
  name,
  fetch: globalThis.fetch,
  maxRequests: Infinity,
  maxRequestsVariable: undefined,
  decodes: true,
  routes: false,
  isStrict: true,
  init: () => ({})
})

const hasNodeParts = (): boolean => typeof net.connect === "function" && typeof http2.connect === "function"

const nameOf = (): string => {
  const agent: unknown = globalThis.navigator?.userAgent
  return typeof agent === "string" && agent !== "" ? agent : "this runtime"
}

const detect = (): FetchRuntime | undefined => {
  const { bun: version } = process.versions
  if (version !== undefined || "Bun" in globalThis) return bun(version ?? "")
  return hasNodeParts() ? undefined : anyRuntime(nameOf())
}

/** The runtime whose own `fetch` sends requests; `undefined` where the pool opens sockets. */
export const fetchRuntime: FetchRuntime | undefined = detect()
