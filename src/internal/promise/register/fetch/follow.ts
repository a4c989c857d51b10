/** Redirects as the Fetch standard follows them ("HTTP-redirect fetch"): to any origin, and without credentials to another. */
import { named } from "../../../http/bufferedResponse.ts"
import { carriers } from "../../../http/credential.ts"
import type { Body, Unpacked } from "./unpack.ts"

/** One request, whose own redirects are not followed. */
export interface Hop {
  readonly url: URL
  readonly method: string | undefined
  readonly headers: Headers
  readonly body: Body | undefined
}

/** As in the standard. */
const MAX_REDIRECTS = 20

const statuses = new Set([301, 302, 303, 307, 308])

/** The words of Node's own `fetch`. */
export const failed = (cause: unknown): TypeError => new TypeError("fetch failed", { cause })

/** Headers for the first server alone. */
const toFirstOnly = [...carriers, "proxy-authorization", "cookie", "host"]

const ofBody = ["content-encoding", "content-language", "content-location", "content-type", "content-length"]

const isStream = (body: Body): boolean => typeof body === "object" && Symbol.asyncIterator in body

const next = (hop: Hop, location: string, status: number): Hop => {
  const url = URL.parse(location, hop.url.href)
  if (url === null) throw failed(new Error("invalid redirect URL"))
  if (!/^https?:$/.test(url.protocol)) throw failed(new Error("URL scheme must be a HTTP(S) scheme"))
  if (url.hash === "") url.hash = hop.url.hash
  const headers = new Headers(hop.headers)
  if (url.origin !== hop.url.origin) for (const name of toFirstOnly) headers.delete(name)
  const method = (hop.method ?? "GET").toUpperCase()
  const isGet = status === 303 ? method !== "GET" && method !== "HEAD" : status < 303 && method === "POST"
  if (!isGet) {
    if (hop.body !== undefined && isStream(hop.body)) throw failed(new Error("a streamed body can't be sent again"))
    return { url, method: hop.method, headers, body: hop.body }
  }
  for (const name of ofBody) headers.delete(name)
  return { url, method: "GET", headers, body: undefined }
}

/** The address as `Response.url` shows it. */
const bare = ({ hash, href }: URL): string => (hash === "" ? href : href.slice(0, -hash.length))

const define = (response: Response, type: "basic" | "cors"): Response =>
  Object.defineProperty(response, "type", { value: type, configurable: true })

/** The final response, with its own URL. */
export const follow = async (
  { redirect, ...first }: Unpacked,
  send: (hop: Hop) => Promise<Response>
): Promise<Response> => {
  let hop: Hop = first
  let type: "basic" | "cors" = "basic"
  for (let hops = 0; ; hops++) {
    const response = await send(hop)
    const location = statuses.has(response.status) ? response.headers.get("location") : null
    if (location === null || redirect === "manual") {
      return define(named(response, bare(hop.url), hops > 0), type)
    }
    await response.body?.cancel()
    if (redirect === "error") throw failed(new Error("unexpected redirect"))
    if (hops >= MAX_REDIRECTS) throw failed(new Error("redirect count exceeded"))
    const { origin } = hop.url
    hop = next(hop, location, response.status)
    if (hop.url.origin !== origin) type = "cors"
  }
}
