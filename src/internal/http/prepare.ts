/**
 * Reads a call of fetch once, into what every attempt to send it needs. No `Request` is built: it would cost more than
 * the exchange.
 */
import type { RequestBody } from "../wire/request.ts"
import { outgoing, type Outgoing } from "./requestBody.ts"
import { readHeaders } from "./headers.ts"

export interface PreparedRequest {
  /** Without fragment: what `Response.url` shows. */
  readonly url: string
  readonly origin: string
  /** Path and query. */
  readonly path: string
  readonly method: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: RequestBody
  /** True if `body` can be sent more than once. */
  readonly replayable: boolean
  readonly redirect: "follow" | "manual" | "error"
  /** The caller's own signal. */
  readonly signal: AbortSignal | undefined
}

/** The parts of `RequestInit` that are read. Other libraries' init objects fit it too. */
export interface Init {
  readonly method?: string | undefined
  readonly headers?: unknown
  readonly body?: unknown
  readonly signal?: AbortSignal | null | undefined
  readonly redirect?: string | undefined
}

/** Codings that responses may have where the caller names none. */
export const ACCEPT_ENCODING = "gzip, deflate, br"

export interface RequestTarget {
  readonly url: string
  readonly origin: string
  readonly path: string
}

export const readTarget = (url: URL): RequestTarget => {
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new TypeError(`can't fetch ${url.protocol} URLs`)
  if (url.username !== "" || url.password !== "") throw new TypeError("can't fetch a URL that includes credentials")
  url.hash = ""
  return { url: url.href, origin: url.origin, path: url.pathname + url.search }
}

const parse = (url: string): RequestTarget => {
  const parsed = URL.parse(url)
  // The URL itself stays out of the message: its query may hold a key.
  if (parsed === null) throw new TypeError("can't fetch: the URL can't be parsed")
  return readTarget(parsed)
}

/** So many are kept. */
const most = 64

/** SDKs ask for the same few again and again, and to parse one costs as much as to read all headers. */
const targets = new Map<string, RequestTarget>()

const targetOf = (url: string | URL): RequestTarget => {
  if (typeof url !== "string") return parse(url.href)
  const known = targets.get(url)
  if (known !== undefined) return known
  const target = parse(url)
  // A query differs each time, and may hold a key.
  if (url.includes("?") || url.length > 256) return target
  // Names in paths differ too: what is asked for again is soon here again.
  if (targets.size >= most) targets.clear()
  targets.set(url, target)
  return target
}

const readMethod = (method: string | undefined): string => {
  if (method === undefined || method === "POST") return method ?? "GET"
  if (!/^[A-Za-z]+$/.test(method)) throw new TypeError("can't fetch: invalid method")
  const upper = method.toUpperCase()
  if (upper === "CONNECT" || upper === "TRACE" || upper === "TRACK") throw new TypeError(`can't fetch with ${upper}`)
  return upper
}

const assemble = (
  target: RequestTarget,
  method: string,
  headers: Record<string, string>,
  out: Outgoing,
  init: Init | undefined
): PreparedRequest => {
  if (out.body !== undefined && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`can't fetch: a ${method} request can't have a body`)
  }
  if (out.contentType !== undefined && (out.binding || headers["content-type"] === undefined)) {
    headers["content-type"] = out.contentType
  }
  headers["accept"] ??= "*/*"
  headers["accept-encoding"] ??= ACCEPT_ENCODING
  const redirect = init?.redirect
  return {
    url: target.url,
    origin: target.origin,
    path: target.path,
    method,
    headers,
    body: out.body,
    replayable: out.replayable,
    redirect: redirect === "manual" || redirect === "error" ? redirect : "follow",
    signal: init?.signal ?? undefined
  }
}

const fromRequest = async (request: Request): Promise<PreparedRequest> => {
  // Held as bytes: a Request's stream has no length and can't be read again.
  const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
  return prepare(request.url, {
    method: request.method,
    headers: request.headers,
    body,
    signal: request.signal,
    redirect: request.redirect
  })
}

/** Throws a TypeError, as fetch rejects, for what can't be sent. A promise only for a Request, a Blob or a form. */
export const prepare = (
  url: string | URL | Request,
  init?: Init | RequestInit
): PreparedRequest | Promise<PreparedRequest> => {
  if (typeof url !== "string" && !(url instanceof URL)) {
    return fromRequest(init === undefined ? url : new Request(url, init as RequestInit))
  }
  const target = targetOf(url)
  const method = readMethod(init?.method)
  const { contentLength, headers, host } = readHeaders(init?.headers)
  if (host !== undefined && !target.origin.endsWith(`//${host.toLowerCase()}`)) {
    throw new TypeError(`header "host" names another server than the URL`)
  }
  const out = outgoing(init?.body, contentLength)
  return out instanceof Promise
    ? out.then((out) => assemble(target, method, headers, out, init))
    : assemble(target, method, headers, out, init)
}
