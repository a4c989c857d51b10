/** Keys and endpoints of the four providers: found, reachable, accepted, and with which protocol and limits. */
import { connect as connectTcp } from "node:net"
import { connect as connectTls } from "node:tls"
import { performance } from "../../internal/util/timers.ts"
import { UsageError } from "../exit.ts"
import { type Finding, none, ok, problem } from "./finding.ts"

type Env = Readonly<Record<string, string | undefined>>

interface Endpoint {
  readonly key: string
  readonly baseUrl: string
  readonly defaultUrl: string | undefined
  /** Paths below the base URL. */
  readonly models: string
  readonly chat: (model: string) => string
  readonly headers: (key: string) => Readonly<Record<string, string>>
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

/** Azure's paths carry the version of its API. */
const version = (): string => `?api-version=${encodeURIComponent(process.env["OPENAI_API_VERSION"] ?? "2024-10-21")}`

const ENDPOINTS = {
  openai: {
    key: "OPENAI_API_KEY",
    baseUrl: "OPENAI_BASE_URL",
    defaultUrl: "https://api.openai.com/v1",
    models: "/models",
    chat: () => "/chat/completions",
    headers: bearer
  },
  azure: {
    key: "AZURE_OPENAI_API_KEY",
    baseUrl: "AZURE_OPENAI_ENDPOINT",
    defaultUrl: undefined,
    get models() {
      return `/openai/models${version()}`
    },
    chat: (deployment) => `/openai/deployments/${encodeURIComponent(deployment)}/chat/completions${version()}`,
    headers: (key) => ({ "api-key": key })
  },
  groq: {
    key: "GROQ_API_KEY",
    baseUrl: "GROQ_BASE_URL",
    defaultUrl: "https://api.groq.com",
    models: "/openai/v1/models",
    chat: () => "/openai/v1/chat/completions",
    headers: bearer
  },
  cerebras: {
    key: "CEREBRAS_API_KEY",
    baseUrl: "CEREBRAS_BASE_URL",
    defaultUrl: "https://api.cerebras.ai",
    models: "/v1/models",
    chat: () => "/v1/chat/completions",
    headers: bearer
  }
} as const satisfies Readonly<Record<string, Endpoint>>

/** Visible ASCII. Errors of `fetch` for other headers print them whole. */
const IN_HEADER = /^[\x21-\x7e]+$/

type Name = keyof typeof ENDPOINTS

const NAMES = Object.keys(ENDPOINTS) as ReadonlyArray<Name>

const PROBE_TIMEOUT_MS = 10_000

interface Connected {
  /** By ALPN; `undefined` without TLS. */
  readonly protocol: string | undefined
  readonly ms: number
}

/** Opens a connection as a client would, and closes it. */
const connected = (url: URL): Promise<Connected> =>
  new Promise((resolve, reject) => {
    const isTls = url.protocol === "https:"
    const host = url.hostname.replace(/^\[|\]$/g, "")
    const port = Number(url.port) || (isTls ? 443 : 80)
    const start = performance.now()
    const done = (protocol: string | undefined) => {
      socket.destroy()
      resolve({ protocol, ms: Math.round(performance.now() - start) })
    }
    const socket = isTls
      ? connectTls({ host, port, servername: host, ALPNProtocols: ["h2", "http/1.1"] }, () =>
          done("alpnProtocol" in socket && typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "http/1.1")
        )
      : connectTcp({ host, port }, () => done(undefined))
    socket.setTimeout(PROBE_TIMEOUT_MS, () =>
      socket.destroy(new Error(`no connection within ${PROBE_TIMEOUT_MS / 1000} s`))
    )
    socket.on("error", reject)
  })

/** `x-ratelimit-limit-requests: 3000` and `x-ratelimit-remaining-requests: 2999` as `3,000 requests (2,999 left)`. */
export const limitsIn = (headers: Headers): ReadonlyArray<string> =>
  [...headers].flatMap(([name, value]) => {
    const [, budget] = /^x-ratelimit-limit-(.+)$/.exec(name) ?? []
    if (budget === undefined || !Number.isFinite(Number(value))) return []
    const left = Number(headers.get(`x-ratelimit-remaining-${budget}`) ?? NaN)
    const rest = Number.isFinite(left) ? ` (${left.toLocaleString("en-US")} left)` : ""
    return [`${Number(value).toLocaleString("en-US")} ${budget.replaceAll("-", " a ")}${rest}`]
  })

const reason = (error: unknown): string => {
  let deepest = error
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause
  if (!(deepest instanceof Error)) return String(deepest)
  return "code" in deepest && deepest.message === "" ? String(deepest.code) : (deepest.message.split("\n", 1)[0] ?? "")
}

const REFUSED: Readonly<Record<number, string>> = {
  401: "the key is rejected; make a new one",
  403: "the key may not do this; look at its permissions",
  404: "there is no such path or model; look at base URL and model",
  429: "the account is at its limit; wait, or look at its billing"
}

const ask = async (name: Name, url: string, init: RequestInit): Promise<ReadonlyArray<Finding>> => {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
  await response.body?.cancel()
  const limits = limitsIn(response.headers)
  const told = limits.length === 0 ? [] : [ok(`${name}: limits are ${limits.join(", ")}`)]
  if (response.ok) return [ok(`${name}: the key is accepted`), ...told]
  const why = REFUSED[response.status] ?? "the provider has a problem, or the address is another server's"
  return [problem(`${name}: status ${response.status}: ${why}`), ...told]
}

const PROTOCOLS: Readonly<Record<string, string>> = { h2: "HTTP/2 offered", "http/1.1": "HTTP/1.1 alone" }

const request = (endpoint: Endpoint, base: string, key: string, model: string | undefined) => {
  const headers = { ...endpoint.headers(key), accept: "application/json" }
  if (model === undefined) return { url: `${base}${endpoint.models}`, init: { headers } }
  const messages = [{ role: "user", content: "Hi" }]
  const body = JSON.stringify({ model, messages, max_completion_tokens: 16 })
  return {
    url: `${base}${endpoint.chat(model)}`,
    init: { method: "POST", headers: { ...headers, "content-type": "application/json" }, body }
  }
}

const probe = async (
  name: Name,
  base: string,
  key: string | undefined,
  model: string | undefined
): Promise<ReadonlyArray<Finding>> => {
  const url = new URL(base)
  try {
    const { ms, protocol } = await connected(url)
    const offered = protocol === undefined ? "no TLS" : (PROTOCOLS[protocol] ?? protocol)
    const reached = ok(`${name}: ${url.host} reached in ${ms} ms, ${offered}`)
    if (key === undefined) return [reached]
    const { init, url: target } = request(ENDPOINTS[name], base.replace(/\/+$/, ""), key, model)
    return [reached, ...(await ask(name, target, init))]
  } catch (error) {
    return [problem(`${name}: ${url.host} can't be reached: ${reason(error)}; look at network, proxy and base URL`)]
  }
}

export interface EndpointOptions {
  readonly env: Env
  /** `provider:model` to ask for a few tokens, whose response has the limits of the account. @default none is asked */
  readonly model: string | undefined
  /** @default that of the model's provider */
  readonly baseUrl: string | undefined
  /** True if nothing is to be sent. */
  readonly isOffline: boolean
}

const split = (model: string | undefined): { readonly name: Name | undefined; readonly model: string | undefined } => {
  if (model === undefined) return { name: undefined, model }
  const [prefix = "", ...rest] = model.split(":")
  const name = NAMES.find((one) => one === prefix)
  if (name !== undefined && rest.join(":") !== "") return { name, model: rest.join(":") }
  throw new UsageError(`--model is ${JSON.stringify(model)}; expected for instance groq:llama-3.3-70b-versatile`)
}

/** Providers without a key are listed, and left alone. */
export const endpoints = async (options: EndpointOptions): Promise<ReadonlyArray<Finding>> => {
  const { baseUrl, env, isOffline } = options
  const asked = split(options.model)
  const of = async (name: Name): Promise<ReadonlyArray<Finding>> => {
    const endpoint: Endpoint = ENDPOINTS[name]
    const isAsked = asked.name === name || (asked.name === undefined && baseUrl !== undefined && name === "openai")
    const key = env[endpoint.key]?.trim() || undefined
    const base = (isAsked ? baseUrl : undefined) ?? env[endpoint.baseUrl] ?? endpoint.defaultUrl
    const found =
      key === undefined ? none(`${name}: ${endpoint.key} is not set`) : ok(`${name}: ${endpoint.key} is set`)
    if (key !== undefined && !IN_HEADER.test(key)) {
      return [problem(`${name}: ${endpoint.key} has a line break or another character that no key has; set it anew`)]
    }
    if (key === undefined && !isAsked) return [found]
    if (base === undefined)
      return [found, problem(`${name}: ${endpoint.baseUrl} is not set; set it to the resource's address`)]
    if (!URL.canParse(base))
      return [found, problem(`${name}: the base URL is ${JSON.stringify(base)}; expected for instance https://host/v1`)]
    return isOffline ? [found] : [found, ...(await probe(name, base, key, isAsked ? asked.model : undefined))]
  }
  return (await Promise.all(NAMES.map(of))).flat()
}
