/**
 * Requests to providers outside the pool: counted for the report, and reported once for each origin and caller. They
 * are observed on the diagnostics channels of Node and undici, so nothing on their way is changed.
 */
import { subscribe } from "node:diagnostics_channel"
import * as Tally from "../../transport/tally.ts"
import { warn } from "../../util/processWarning.ts"
import * as Origins from "./origins.ts"
import * as Report from "./report.ts"

/** Ways to a server: the global `fetch` or undici's own, another function of undici, Node's `http` and `https`. */
type Road = "fetch" | "undici" | "node:http"

let isFetchPooled = false

/** Most pairs of origin and caller that are reported. */
const MAX_REPORTED_PAIRS = 100

const told = new Set<string>()

const GIVE = "give the library or the client a pooled fetch, getFetch() of clientele/Promise"

const remedy = (road: Road): string => {
  if (road === "node:http") return `use a version of its SDK that is pooled (docs/register.md), or ${GIVE}`
  if (road === "undici") return `use fetch and CLIENTELE_FETCH=1, or ${GIVE}`
  return isFetchPooled ? `it has a dispatcher or a fetch of its own: ${GIVE}` : `set CLIENTELE_FETCH=1, or ${GIVE}`
}

/** The first two products of a User-Agent (RFC 9110, 10.1.5), such as `ai/7.0.1 ai-sdk/openai/4.0.1`. */
const agentOf = (userAgent: unknown): string => {
  const products = typeof userAgent === "string" ? userAgent.split(" ").slice(0, 2).join(" ") : ""
  return /^[\w./@+ -]{1,60}$/.test(products) && products !== "node" ? products : ""
}

/** All SDKs of the pool send this, and so do subclasses of their clients, to servers of whatever name. */
const SDK_HEADER = "x-stainless-lang"

const note = (origin: string | undefined, road: Road, header: (name: string) => unknown): void => {
  if (origin === undefined) return
  const isKnown = Origins.find(origin) !== undefined
  if (!isKnown && header(SDK_HEADER) === undefined) return
  const agent = agentOf(header("user-agent"))
  const by = agent === "" ? road : `${road} (${agent})`
  Report.passedBy(origin, by)
  const key = `${origin} ${road}`
  if (!isKnown || told.has(key) || told.size >= MAX_REPORTED_PAIRS) return
  told.add(key)
  warn(`requests to ${origin} by ${by} are not pooled: ${remedy(road)}`)
}

interface UndiciRequest {
  readonly origin?: unknown
  /** Names and values by turns. */
  readonly headers?: unknown
}

interface NodeRequest {
  readonly protocol?: unknown
  readonly getHeader?: (name: string) => unknown
}

const headerOf = (headers: unknown, name: string): unknown => {
  if (!Array.isArray(headers)) return undefined
  const at = headers.findIndex((key, index) => index % 2 === 0 && String(key).toLowerCase() === name)
  return at < 0 ? undefined : headers[at + 1]
}

/** Only `fetch` sends this, by the Fetch standard. */
const FETCH_HEADER = "sec-fetch-mode"

const onUndici = (message: unknown): void => {
  if (Tally.isSending()) return
  const { request } = message as { readonly request: UndiciRequest }
  const header = (name: string) => headerOf(request.headers, name)
  note(Origins.originOf(String(request.origin)), header(FETCH_HEADER) === undefined ? "undici" : "fetch", header)
}

const onNode = (message: unknown): void => {
  const { request } = message as { readonly request: NodeRequest }
  // node-fetch sets each as an array.
  const header = (name: string) => [request.getHeader?.(name)].flat()[0]
  note(Origins.originOf(`${String(request.protocol)}//${String(header("host"))}`), "node:http", header)
}

/** Begins to observe. `pooled` is true if `fetch` is pooled. */
export const watch = (pooled: boolean): void => {
  isFetchPooled = pooled
  subscribe("undici:request:create", onUndici)
  subscribe("http.client.request.start", onNode)
}
