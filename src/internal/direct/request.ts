/** Writes a call as the `url` and `init` of a pooled fetch, as the provider's SDK would send it. */
import type { ClientConfig } from "../../ClientConfig.ts"
import { millis } from "../options/validate.ts"
import { OptionsError } from "../../ClientError.ts"
import { unsendable } from "../request/errors/unsent.ts"
import { OWN, type Own } from "../request/pooledFetch.ts"
import type { Api, Fields } from "./apis.ts"
import { endpointOf } from "./endpoint.ts"
import type { ApiRequest, CallOptions } from "./options.ts"

export interface Written {
  readonly url: string
  /** To be sent with a signal beside it. */
  readonly init: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string | undefined
    readonly redirect: "follow" | "manual"
    readonly [OWN]?: Own
  }
}

const METHODS: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"])

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

const fail = (detail: string): never => {
  throw new TypeError(detail)
}

/** Texts of what must be an object: JSON leaves functions and symbols out without a word. */
const jsonOf = (body: object): string => {
  let text: string | undefined
  try {
    text = JSON.stringify(body)
  } catch (error) {
    fail(`JSON can't hold the request's body: ${error instanceof Error ? error.message : String(error)}`)
  }
  return text ?? fail("JSON can't hold the request's body: it is a function, or its toJSON returns none")
}

const headersOf = (base: Readonly<Record<string, string>>, { headers, idempotencyKey }: CallOptions) => {
  if (headers === undefined && idempotencyKey === undefined) return base
  const all = { ...base }
  if (idempotencyKey !== undefined) all["idempotency-key"] = idempotencyKey
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value === null) delete all[name.toLowerCase()]
    else if (value !== undefined) all[name.toLowerCase()] = value
  }
  return all
}

const ownOf = ({ maxRetries, timeout }: CallOptions): { readonly [OWN]?: Own } => {
  if (maxRetries === undefined && timeout === undefined) return {}
  const own: { -readonly [Name in keyof Own]: Own[Name] } = {}
  if (maxRetries !== undefined) {
    if (!Number.isSafeInteger(maxRetries) || maxRetries < 0) fail("maxRetries is no integer of at least 0")
    own.maxRetries = maxRetries
  }
  if (timeout !== undefined) own.timeout = millis({ provider: "", field: "timeout" }, timeout)
  return { [OWN]: own }
}

const NO_OPTIONS: CallOptions = {}

/** Runs `f`, and makes of what it throws the error of a request that can't be sent. */
const guarded = <A>({ baseURL, provider }: ClientConfig, f: () => A): A => {
  try {
    return f()
  } catch (error) {
    const detail =
      error instanceof OptionsError ? `${error.field} is ${error.received}; expected ${error.expected}` : undefined
    throw unsendable({ provider, baseURL }, detail === undefined ? error : new TypeError(detail))
  }
}

/** Throws a RequestError `BadRequest`. */
export const write = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  { body, method, path, ...options }: ApiRequest
): Written =>
  guarded(config, () => {
    if (!METHODS.has(method)) fail("the method is none of GET, POST, PUT, PATCH and DELETE")
    if (typeof path !== "string" || !/^\/(?!\/)/.test(path)) fail('the path does not begin with one "/"')
    if (body !== undefined && !isObject(body)) fail("the request's body is no object")
    const routed = method === "POST" && body !== undefined ? routeOf(api, config, path, body as Fields) : path
    const message = { method, path: routed, body: body === undefined ? undefined : jsonOf(body) }
    return writeTo(api, config, message, options)
  })

/** Path of a POST with this body. */
const routeOf = <P extends string, Extra extends string>(
  { route }: Api<P, Extra>,
  config: ClientConfig<P>,
  path: string,
  body: Fields
): string => (route === undefined ? path : route(config, path, body))

/** The URL of a POST with this body. */
export const urlOf = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  path: string,
  body: Fields
): string => {
  try {
    return endpointOf(api, config).url(routeOf(api, config, path, body), undefined)
  } catch {
    // A path that can't be written is what the error is about.
    return config.baseURL
  }
}

interface Message {
  readonly method: string
  readonly path: string
  readonly body: string | undefined
}

const writeTo = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  { body, method, path }: Message,
  options: CallOptions
): Written => {
  const endpoint = endpointOf(api, config)
  return {
    url: endpoint.url(path, options.query),
    init: {
      method,
      headers: headersOf(body === undefined ? endpoint.bodiless : endpoint.withBody, options),
      body,
      redirect: api.redirect,
      ...ownOf(options)
    }
  }
}

export type Method = "chat" | "chatStream" | "embeddings"

/** The body as it is sent, checked for what no provider takes. Throws a TypeError. */
const checked = <P extends string>({ extra }: ClientConfig<P>, kind: Method, body: unknown): Fields => {
  if (!isObject(body)) return fail("the request's body is no object")
  const { model, stream } = body as Fields
  // Azure takes the name of the deployment instead.
  const isNamed = (typeof model === "string" && model.trim() !== "") || extra["deployment"] !== undefined
  if (!isNamed) fail("the request names no model: `model` is empty or no string")
  if (kind === "chat" && stream === true) fail("`stream` is true, which `chatStream` is for")
  if (kind === "chatStream" && stream !== undefined && stream !== true) fail("`stream` is not true, as `chat` has it")
  return body as Fields
}

/** Parameters that are sent as headers, and the rest. */
const split = (names: ReadonlyArray<string>, body: Fields, options: CallOptions): [Fields, CallOptions] => {
  if (!names.some((name) => name in body)) return [body, options]
  const rest: Record<string, unknown> = { ...body }
  const headers: Record<string, string> = {}
  for (const name of names) {
    const value = rest[name]
    if (value !== undefined && value !== null) headers[name] = String(value)
    delete rest[name]
  }
  return [rest, { ...options, headers: { ...headers, ...options.headers } }]
}

/** Throws a RequestError `BadRequest`. */
export const writeCall = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  kind: Method,
  given: unknown,
  options: CallOptions = NO_OPTIONS
): Written =>
  guarded(config, () => {
    let body = checked(config, kind, given)
    let more = options
    if (api.headerParams !== undefined) [body, more] = split(api.headerParams, body, options)
    if (kind === "chatStream") body = { ...body, stream: true }
    else if (kind === "embeddings" && isDecoded(api, body)) body = { ...body, encoding_format: "base64" }
    const path = kind === "embeddings" ? api.embeddingsPath : api.chatPath
    return writeTo(api, config, { method: "POST", path: routeOf(api, config, path, body), body: jsonOf(body) }, more)
  })

/** True for embeddings that are asked for in base64, since the caller asked for no format. */
export const isDecoded = <P extends string, Extra extends string>(api: Api<P, Extra>, body: object): boolean =>
  api.decodesBase64 && !(body as Fields)["encoding_format"]
