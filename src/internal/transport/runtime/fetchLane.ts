/**
 * A lane over the runtime's own `fetch`: a slot for one request at a time. The runtime keeps the connections, so a slot
 * stands for a socket in the pool's bounds and counts, and nothing waits in the runtime. It is free again when `fetch` has
 * settled and the body has ended, also after an abort: by then the runtime has let go of its connection.
 */
import type { WireError } from "../../wire/errors.ts"
import type { WireRequest, WireResponse } from "../../http/types.ts"
import { unsendable, uploadError } from "../errors.ts"
import { type PendingRequest, sealed } from "../pendingRequest.ts"
import { checkHead, headRefusal } from "../head.ts"
import type { Connection, ConnectionLimits, OpeningHost } from "../connection.ts"
import { isStreamed } from "../upload.ts"
import { fetchError } from "./fetchErrors.ts"
import type { FetchRuntime } from "./runtime.ts"
import { streamedBody } from "./streamedBody.ts"
import { performance, queueMicrotask } from "../../util/timers.ts"

/** Time, in ms, for which a slot without a request counts as a socket. */
const IDLE_MS = 4_000

export interface SlotOptions {
  readonly runtime: FetchRuntime
  readonly origin: string
  /** Members of `RequestInit` that are the runtime's own. */
  readonly init: Readonly<Record<string, unknown>>
  readonly limits: ConnectionLimits
}

export class FetchLane implements Connection {
  readonly protocol = "http/1.1"
  readonly openedAt = performance.now()
  /** Addresses are the runtime's business, so age is irrelevant. */
  readonly expiresAt = Infinity
  idleSince = performance.now()
  active = 0
  failures = 0
  goodBefore = 0
  readonly #host: OpeningHost
  readonly #options: SlotOptions
  #exchange: PendingRequest | undefined
  #controller: AbortController | undefined
  #uploadFailure: { readonly error: unknown } | undefined
  /** Resolves when a body that was paused is to be read on, or is given up. */
  #resumed: Promise<void> | undefined
  #resume: (() => void) | undefined
  #retired = false
  #left = false

  constructor(host: OpeningHost, options: SlotOptions) {
    this.#host = host
    this.#options = options
  }

  room(): number {
    return this.#retired || this.active > 0 ? 0 : 1
  }

  send(exchange: PendingRequest): boolean {
    this.active = 1
    this.#exchange = exchange
    this.#uploadFailure = undefined
    exchange.dispatched(this)
    const headers = sealed(exchange.request)
    void this.#run(exchange, headers)
    return true
  }

  pause(): void {
    this.#resumed ??= new Promise((resolve) => (this.#resume = resolve))
  }

  resume(): void {
    this.#resume?.()
    this.#resumed = this.#resume = undefined
  }

  abort(exchange: PendingRequest, error: WireError): void {
    if (this.#exchange !== exchange) return
    this.#exchange = undefined
    this.#controller?.abort(error)
    this.resume()
  }

  retire(): void {
    if (!this.#retired) {
      this.#retired = true
      this.#host.retired(this)
    }
    if (this.active === 0) this.#leave()
  }

  destroy(error: WireError): void {
    this.#exchange?.fail(error)
    this.retire()
  }

  exchanges(): Iterable<PendingRequest> {
    return this.#exchange === undefined ? [] : [this.#exchange]
  }

  tick(now: number): void {
    if (this.active === 0 && now - this.idleSince >= Math.min(IDLE_MS, this.#options.limits.keepAlive)) this.retire()
  }

  async #run(exchange: PendingRequest, headers: WireRequest["headers"]): Promise<void> {
    // Sealing runs code of others, which may have aborted it.
    const failure = await (this.#exchange === exchange ? this.#attempt(exchange, headers) : undefined)
    if (this.#exchange === exchange) {
      this.#exchange = undefined
      exchange.detach()
      if (failure === undefined) exchange.end()
      else exchange.fail(failure)
    }
    this.#controller = undefined
    this.active = 0
    this.idleSince = performance.now()
    if (this.#retired) this.#leave()
    else this.#host.freed(this)
  }

  /** The whole exchange, until it is no longer wanted. */
  async #attempt(exchange: PendingRequest, headers: WireRequest["headers"]): Promise<WireError | undefined> {
    try {
      checkHead(headers)
    } catch (error) {
      return unsendable(error)
    }
    this.#controller = new AbortController()
    try {
      const response = await this.#fetch(exchange, headers, this.#controller.signal)
      if (this.#exchange === exchange) return await this.#receive(exchange, response)
      await response.body?.cancel()
      return undefined
    } catch (error) {
      if (this.#uploadFailure !== undefined) return uploadError(this.#uploadFailure.error)
      return fetchError(this.#options.origin, error, !exchange.isSent())
    }
  }

  #fetch(exchange: PendingRequest, headers: WireRequest["headers"], signal: AbortSignal): Promise<Response> {
    const { init, origin, runtime } = this.#options
    const { body, method, path } = exchange.request
    const request: Record<string, unknown> = { ...init, method, headers, signal, redirect: "manual" }
    if (isStreamed(body)) {
      request["body"] = streamedBody(body, (error) => (this.#uploadFailure = { error }))
      request["duplex"] = "half"
      if (body.length !== undefined) request["headers"] = { ...headers, "content-length": String(body.length) }
    } else if (body !== undefined) request["body"] = body
    const { fetch } = runtime
    return fetch(`${origin}${path}`, request)
  }

  async #receive(exchange: PendingRequest, response: Response): Promise<WireError | undefined> {
    const head = headOf(response, this.#options.runtime)
    const refusal = headRefusal(head, this.#options.limits)
    if (refusal !== undefined) {
      this.#controller?.abort(refusal)
      return refusal
    }
    exchange.respond(response.status, head)
    const reader = response.body?.getReader()
    for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader?.read()) {
      if (this.#exchange === exchange) exchange.data(read.value)
      if (this.#resumed !== undefined) await this.#resumed
      if (this.#exchange === exchange) continue
      await reader?.cancel()
      return undefined
    }
    return undefined
  }

  /** Not now: the caller that retires it is still counting. */
  #leave(): void {
    if (this.#left) return
    this.#left = true
    queueMicrotask(() => {
      this.#host.gone(this)
      this.#host.closed()
    })
  }
}

const codings = new Set(["content-encoding", "content-length"])

/** Without what described the bytes on the wire, where the runtime has decoded them. */
const headOf = ({ headers }: Response, { decodes }: FetchRuntime): WireResponse["headers"] => {
  const isDecoded = decodes && headers.has("content-encoding")
  return [...headers].filter(([name]) => !isDecoded || !codings.has(name))
}
