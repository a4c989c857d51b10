/**
 * A lane of HTTP/1.1: one socket under one undici `Client`, which parses and writes. The client never dials: it is
 * handed the socket once, and the lane is gone when that socket closes. One exchange at a time, so the lane itself is
 * the handler of whatever is on it.
 */
import type { Socket } from "node:net"
import { Readable } from "node:stream"
import type { Client, Dispatcher } from "undici"
import type { WireError, WireResponse } from "../wire.ts"
import { stopOf } from "./channels.ts"
import { root } from "./context.ts"
import { h1Error, unsendable, unwritten, uploadError } from "./errors.ts"
import { type Exchange, sealed } from "./exchange.ts"
import { headRefusal } from "./head.ts"
import { isStreamed } from "./upload.ts"
import { expiry, type Lane, type LaneHost, type LaneLimits } from "./lane.ts"

const noMore = new Error("the socket of this lane has been used up")

/** How long, in ms, a server may take to answer the end of a connection. */
const goodbye = 500

const ignore = (): void => undefined

/**
 * How long, in ms, a connection may be idle where the server has not told its own time: undici's default. uvicorn, and with
 * it vLLM and most servers in Python, closes after 5 s without a word, and a request that crosses that is lost.
 */
const UNHINTED_IDLE_MS = 4_000

/** Ms by which a connection closes before the time that the server told (`Keep-Alive: timeout`, in seconds). */
const HINT_MARGIN_MS = 1_000

/** undici takes no Infinity, and its keep-alive timers are setTimeouts. */
const most = 2 ** 31 - 1
const timer = (ms: number): number => Math.max(1, Math.min(ms, most))

export class H1Lane implements Lane, Dispatcher.DispatchHandler {
  readonly protocol = "http/1.1"
  readonly openedAt = performance.now()
  readonly expiresAt: number
  idleSince = performance.now()
  active = 0
  failures = 0
  goodBefore = 0
  readonly #host: LaneHost
  readonly #socket: Socket
  readonly #client: Client
  readonly #limits: LaneLimits
  readonly #reuse: boolean
  #exchange: Exchange | undefined
  #controller: Dispatcher.DispatchController | undefined
  #upload: Readable | undefined
  #retired = false
  #used = false
  /** Whether a byte of the exchange may have left: the kernel has taken some, or will. */
  #left = false
  /** Whether anything was read since the exchange was sent, or since the last informational head. */
  #heard = false
  #cause: unknown
  #farewell: NodeJS.Timeout | undefined

  constructor(host: LaneHost, clientClass: typeof Client, origin: string, socket: Socket, limits: LaneLimits) {
    this.#host = host
    this.#socket = socket
    this.#limits = limits
    this.#reuse = limits.keepAlive > 0
    this.expiresAt = expiry(this.openedAt, limits.maxConnectionAge)
    socket.on("error", this.#onError)
    socket.once("close", () => {
      this.retire()
      clearTimeout(this.#farewell)
      host.gone(this)
    })
    // Nothing may arrive before the first request: if something does, be it the end, the socket is of no use.
    socket.once("readable", this.#onEarly)
    // undici refs its socket while a request is on it, be it one whose body nobody reads; who waits is held elsewhere.
    socket.ref = () => socket
    const read = socket.read.bind(socket)
    socket.read = (size) => {
      const chunk: unknown = read(size)
      if (chunk !== null) this.#heard = true
      return chunk
    }
    noteWrites(socket, () => (this.#left = true))
    let handed = false
    this.#client = new clientClass(origin, {
      pipelining: 1,
      maxHeaderSize: Math.min(limits.maxHeadBytes, most),
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: timer(Math.min(limits.keepAlive, UNHINTED_IDLE_MS)),
      keepAliveMaxTimeout: timer(limits.keepAlive),
      keepAliveTimeoutThreshold: HINT_MARGIN_MS,
      // Called back at once, undici never sends.
      connect: (_, callback) => {
        const again = handed
        handed = true
        setImmediate(() => (again || socket.destroyed ? callback(noMore, null) : callback(null, socket)))
      }
    })
  }

  room(): number {
    return this.#retired || this.#exchange !== undefined || this.#socket.destroyed ? 0 : 1
  }

  send(exchange: Exchange): boolean {
    if (!this.#used) {
      this.#used = true
      this.#socket.off("readable", this.#onEarly)
    }
    const { body, method, path } = exchange.request
    const headers = sealed(exchange.request)
    this.active = 1
    this.#heard = this.#left = false
    this.#exchange = exchange
    this.#controller = undefined
    exchange.dispatched(this)
    let bytes: string | Uint8Array | Readable | null = null
    let all = headers
    if (isStreamed(body)) {
      bytes = this.#upload = Readable.from(body.open(), { objectMode: false }).on("error", ignore)
      if (body.length !== undefined) all = { ...headers, "content-length": String(body.length) }
    } else if (body !== undefined) bytes = body
    const options: Dispatcher.DispatchOptions = { path, method, headers: all, body: bytes }
    if (!this.#reuse) options.reset = true
    this.#client.dispatch(options, this)
    return true
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }

  abort(exchange: Exchange, error: WireError): void {
    if (this.#exchange !== exchange) return
    this.#exchange = undefined
    // The socket goes with it: HTTP/1.1 has no other way to stop a response.
    this.retire()
    if (this.#controller === undefined) this.#socket.destroy()
    else this.#controller.abort(stopOf(error))
    this.#drop()
  }

  retire(): void {
    if (!this.#retired) {
      this.#retired = true
      this.#host.retired(this)
    }
    if (this.#exchange === undefined) this.#leave()
  }

  /**
   * Ends rather than destroys: a socket gives its place to another when it has closed, and by then the server must have
   * let go of it too, or it would see more than the bound.
   */
  #leave(): void {
    if (this.#farewell !== undefined) return
    this.#farewell = root(setTimeout, () => this.#socket.destroy(), goodbye).unref()
    this.#socket.end()
  }

  destroy(error: WireError): void {
    this.#exchange?.fail(error)
    this.retire()
    this.#socket.destroy()
  }

  exchanges(): Iterable<Exchange> {
    return this.#exchange === undefined ? [] : [this.#exchange]
  }

  tick(now: number): void {
    // Once it has carried a request, undici closes it when it has been idle for too long.
    if (!this.#used && now - this.openedAt >= Math.min(this.#limits.keepAlive, UNHINTED_IDLE_MS)) this.retire()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#exchange === undefined) controller.abort(stopOf(undefined))
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ParsedHeaders): void {
    if (status < 200) {
      this.#heard = false
      return
    }
    const exchange = this.#exchange
    if (exchange === undefined) return
    const head = pairs(headers)
    const refusal = headRefusal(head, this.#limits)
    if (refusal !== undefined) return exchange.fail(refusal)
    this.#host.answered(this, exchange, status)
    exchange.respond(status, head)
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#exchange?.data(chunk)
  }

  onResponseEnd(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    // A body that only the connection's end delimits is not whole if that was a reset.
    if (this.#cause !== undefined) return this.#failed(this.#cause)
    this.#exchange = undefined
    exchange.end()
    this.#drop()
    this.#idle()
    // Only when undici has looked at this response's end too is it known whether the socket survives.
    queueMicrotask(this.#free)
  }

  onResponseError(controller: Dispatcher.DispatchController | null, error: Error): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    // Without a controller undici did not even take it: a header or the path is no HTTP. The socket is as good as before.
    if (controller === null && !this.#socket.destroyed) {
      this.#exchange = undefined
      this.#drop()
      this.#idle()
      exchange.detach()
      exchange.fail(unsendable(error))
      queueMicrotask(this.#free)
    } else this.#failed(error)
  }

  #failed(error: unknown): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    // Once answered, or begun to be, it has left, be the server early.
    const hasLeft = this.#left || this.#heard || !exchange.isSent()
    this.#exchange = undefined
    const failed = this.#upload?.errored
    this.#drop()
    this.#idle()
    exchange.detach()
    if (failed !== undefined && failed !== null) exchange.fail(uploadError(failed))
    else if (hasLeft) exchange.fail(h1Error(this.#cause ?? error, !exchange.isSent(), this.#heard))
    else this.#host.requeue(exchange, unwritten(this.#cause ?? error))
    this.retire()
  }

  #idle(): void {
    this.active = 0
    this.idleSince = performance.now()
  }

  #drop(): void {
    this.#upload?.destroy()
    this.#upload = undefined
  }

  #free = (): void => {
    if (this.#retired || this.#socket.destroyed) this.retire()
    else this.#host.freed(this)
  }

  #onEarly = (): void => {
    this.#socket.destroy()
  }

  #onError = (error: unknown): void => {
    this.#cause ??= error
  }
}

/**
 * Calls `left` for each write that the kernel did not refuse there and then, as it does when the connection has been reset
 * and nobody has read that yet. `bytesWritten` counts those too.
 */
const noteWrites = (socket: Socket, left: () => void): void => {
  const noting = (write: (done: Done) => void, done: Done): void => {
    let isRefused = false
    write((error) => {
      isRefused = error !== undefined && error !== null
      done(error)
    })
    if (!isRefused) left()
  }
  const write = socket._write.bind(socket)
  socket._write = (chunk, encoding, done) => noting((noted) => write(chunk, encoding, noted), done)
  const writev = socket._writev?.bind(socket)
  if (writev !== undefined) socket._writev = (chunks, done) => noting((noted) => writev(chunks, noted), done)
}

type Done = (error?: Error | null) => void

type ParsedHeaders = Record<string, string | Array<string> | undefined>

const pairs = (headers: ParsedHeaders): WireResponse["headers"] => {
  const all: Array<readonly [string, string]> = []
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (typeof value === "string") all.push([name, value])
    else if (value !== undefined) for (const one of value) all.push([name, one])
  }
  return all
}
