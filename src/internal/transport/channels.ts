/**
 * undici's diagnostics channels, for requests that bypass it: messages have the shapes of undici's own (its docs,
 * "Diagnostics Channel Support"), so that tracers of undici treat them alike. Without subscribers a request costs a
 * look at the channels.
 */
import { channel } from "node:diagnostics_channel"
import type { Socket } from "node:net"
import type { WireError, WireReason } from "../wire/errors.ts"
import type { WireResponse } from "../http/types.ts"

const create = channel("undici:request:create")
const bodyChunkSent = channel("undici:request:bodyChunkSent")
const bodySent = channel("undici:request:bodySent")
const headers = channel("undici:request:headers")
const bodyChunkReceived = channel("undici:request:bodyChunkReceived")
const trailers = channel("undici:request:trailers")
const error = channel("undici:request:error")
const sendHeaders = channel("undici:client:sendHeaders")
const beforeConnect = channel("undici:client:beforeConnect")
const connected = channel("undici:client:connected")

const all = [create, bodyChunkSent, bodySent, headers, bodyChunkReceived, trailers, error, sendHeaders]

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
const badValue = /[^\t\x20-\x7e\x80-\xff]/

/** A request as undici's subscribers get it. */
class Request {
  readonly origin: string
  readonly protocol: string
  readonly method: string
  readonly path: string
  /** Name, value, name, value. */
  readonly headers: Array<string>
  completed = false
  aborted = false

  constructor(origin: string, method: string, path: string, head: Readonly<Record<string, string>>) {
    this.origin = origin
    this.protocol = origin.slice(0, origin.indexOf(":") + 1)
    this.method = method
    this.path = path
    this.headers = Object.entries(head).flat()
  }

  /** Throws for what is no header. */
  addHeader(name: string, value: string): this {
    const lower = String(name).toLowerCase()
    if (!token.test(lower) || badValue.test(String(value))) throw new TypeError(`invalid ${name} header`)
    this.headers.push(lower, String(value))
    return this
  }
}

/** Publishes one request's progress to the subscribers. The end is published once. */
export class Progress {
  readonly #request: Request

  constructor(request: Request) {
    this.#request = request
  }

  /** As subscribers have left them. */
  head(): Record<string, string> {
    const { headers } = this.#request
    const head: Record<string, string> = {}
    for (let i = 0; i + 1 < headers.length; i += 2) head[String(headers[i]).toLowerCase()] = String(headers[i + 1])
    return head
  }

  sent(socket: Socket): void {
    if (!sendHeaders.hasSubscribers) return
    const lines = Object.entries(this.head()).map(([name, value]) => `${name}: ${value}\r\n`)
    sendHeaders.publish({ request: this.#request, headers: lines.join(""), socket })
  }

  bodyChunk(chunk: Uint8Array): void {
    if (bodyChunkSent.hasSubscribers) bodyChunkSent.publish({ request: this.#request, chunk })
  }

  bodySent(): void {
    if (bodySent.hasSubscribers) bodySent.publish({ request: this.#request })
  }

  answered(statusCode: number, head: WireResponse["headers"]): void {
    if (!headers.hasSubscribers) return
    const raw = head.flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value, "latin1")])
    headers.publish({ request: this.#request, response: { statusCode, headers: raw, statusText: "" } })
  }

  data(chunk: Uint8Array): void {
    if (bodyChunkReceived.hasSubscribers) bodyChunkReceived.publish({ request: this.#request, chunk })
  }

  ended(): void {
    if (this.#request.completed || this.#request.aborted) return
    this.#request.completed = true
    if (trailers.hasSubscribers) trailers.publish({ request: this.#request, trailers: [] })
  }

  /** `undefined`: its caller has aborted it. */
  failed(cause: WireError | undefined): void {
    if (this.#request.completed || this.#request.aborted) return
    this.#request.aborted = true
    if (error.hasSubscribers) error.publish({ request: this.#request, error: stopOf(cause) })
  }
}

/** Announces a request, whose head subscribers may add to. `undefined` without subscribers. */
export const announce = (
  origin: string,
  method: string,
  path: string,
  head: Readonly<Record<string, string>>
): Progress | undefined => {
  if (!all.some((one) => one.hasSubscribers)) return undefined
  const request = new Request(origin, method, path, head)
  create.publish({ request })
  return new Progress(request)
}

/** A connection stands. undici, too, announces the socket that it is handed when it takes it. */
export const announceConnection = (
  { host, hostname, port, protocol }: URL,
  socket: Socket,
  version: "h1" | "h2"
): void => {
  if (!beforeConnect.hasSubscribers && !connected.hasSubscribers) return
  const connectParams = { host, hostname, protocol, port, version, servername: null, localAddress: null }
  beforeConnect.publish({ connectParams, connector: undefined })
  connected.publish({ connectParams, connector: undefined, socket })
}

const stops = new Map<WireReason, Error>()

/**
 * An exchange's failure as subscribers get it: its kind, without its text, which may quote a server. Tracers do not
 * treat the name `AbortError` as a failure. One error for each kind, since a stack costs more than all else of an
 * abort.
 */
const stopOf = (cause: WireError | undefined): Error => {
  const reason = cause?.reason ?? "Aborted"
  let stop = stops.get(reason)
  if (stop === undefined) {
    stops.set(reason, (stop = new Error(`the request was stopped: ${reason}`)))
    stop.name = reason === "Aborted" || reason === "Closed" ? "AbortError" : reason
    delete stop.stack
  }
  return stop
}
