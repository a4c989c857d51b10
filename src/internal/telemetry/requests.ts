/**
 * The duration of requests by the conventions for HTTP (OpenTelemetry, "HTTP client metrics", stable since 1.23). This is
 * the path of every request: what stands for a set of labels in the registry is looked up there once.
 */
import type { PoolStats } from "../http/types.ts"
import { bounded, OTHER } from "./bounded.ts"
import * as Series from "../otel/series.ts"

/** Seconds: the boundaries that the conventions advise. */
export const durationKey = Series.histogram(
  "http.client.request.duration",
  "s",
  [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  "Seconds from sending an attempt to the headers of its response"
)

type Protocol = PoolStats["protocol"]

/** An attempt that has ended. */
export interface Sent {
  readonly method: string
  /** Protocol of the connection, if there was one. */
  readonly protocol: Protocol
  /** Status of the response, if one came. */
  readonly status: number | undefined
  /** Value of `error.type`: the outcome if no response came, else its status; `undefined` on success. */
  readonly error: string | undefined
}

/** Methods of RFC 9110 and RFC 5789. Others are recorded as `_OTHER`, as the semantic conventions require. */
const methods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH"
])

export const methodOf = (method: string): string => (methods.has(method) ? method : "_OTHER")

const versions = { "http/1.1": "1.1", h2: "2" } as const

/** The server that requests go to. */
export interface Server {
  readonly address: string
  readonly port: number
}

export const serverOf = (url: string): Server => {
  const { hostname, port, protocol } = new URL(url)
  // In a URL an address of IPv6 stands in brackets.
  return {
    address: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)
  }
}

/** Attributes of a span, by the same conventions. */
export const attributesOf = ({ address, port }: Server, { error, method, protocol, status }: Sent) => ({
  "http.request.method": methodOf(method),
  "server.address": address,
  "server.port": port,
  ...(status !== undefined && { "http.response.status_code": status }),
  ...(error !== undefined && { "error.type": error }),
  ...(protocol !== undefined && { "network.protocol.version": versions[protocol] })
})

type Note = (seconds: number) => void

const noteOf = (server: Series.Labels, { error, method, protocol, status }: Sent, isExported: boolean): Note => {
  const labels: Array<Series.Labels[number]> = [["http.request.method", methodOf(method)], ...server]
  const code = status === undefined ? undefined : bounded("http.response.status_code", String(status))
  if (code !== undefined) labels.push(["http.response.status_code", code === OTHER ? code : Number(code)])
  if (error !== undefined) labels.push(["error.type", code ?? error])
  if (protocol !== undefined) labels.push(["network.protocol.version", versions[protocol]])
  const series = Series.open(durationKey, labels, isExported)
  return (seconds) => series.update(seconds)
}

/** Notes how attempts ended, those of one server. */
type Notes = (sent: Sent, seconds: number) => void

const build = (labels: Series.Labels, isExported: boolean): Notes => {
  const made = new Map<string, Map<Protocol, Map<number | string | undefined, Note>>>()
  return (sent, seconds) => {
    let byProtocol = made.get(sent.method)
    if (byProtocol === undefined) {
      byProtocol = new Map()
      // A method of no standard may be anything.
      if (methods.has(sent.method)) made.set(sent.method, byProtocol)
    }
    let byResult = byProtocol.get(sent.protocol)
    if (byResult === undefined) byProtocol.set(sent.protocol, (byResult = new Map()))
    const result = sent.status ?? sent.error
    let note = byResult.get(result)
    if (note === undefined) byResult.set(result, (note = noteOf(labels, sent, isExported)))
    note(seconds)
  }
}

const servers = new Map<string, Notes>()

/** Metrics are the process's, so all clients of a server have the same ones. `isExported` is what `Series.open` takes. */
export const make = ({ address, port }: Server, isExported = false): Notes => {
  const name = bounded("server", `${address}:${port}`)
  const known = `${name} ${isExported}`
  let notes = servers.get(known)
  if (notes === undefined) {
    const labels: Array<Series.Labels[number]> = [["server.address", name === OTHER ? OTHER : address]]
    if (name !== OTHER) labels.push(["server.port", port])
    servers.set(known, (notes = build(labels, isExported)))
  }
  return notes
}
