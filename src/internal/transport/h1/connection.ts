/**
 * A lane of HTTP/1.1: one socket that carries one exchange at a time, written and read here. It never dials, and is gone
 * when its socket closes.
 */
import type { Socket } from "node:net"
import type { WireError } from "../../wire/errors.ts"
import { announce, announceConnection, type Progress } from "../channels.ts"
import { root } from "../../util/asyncContext.ts"
import { h1Error, unsendable, unwritten, uploadError } from "../errors.ts"
import { type PendingRequest, sealed } from "../pendingRequest.ts"
import { endsConnection, requestHead } from "./requestHead.ts"
import type { ResponseHead } from "./responseHead.ts"
import { ResponseReader, type ResponseSink } from "./responseReader.ts"
import { headRefusal } from "../head.ts"
import { expiry, type Connection, type ConnectionHost, type ConnectionLimits } from "../connection.ts"
import { chunked, isStreamed, sized, upload } from "../upload.ts"
import {
  clearImmediate,
  clearTimeout,
  performance,
  queueMicrotask,
  setImmediate,
  setTimeout
} from "../../util/timers.ts"

/** Ms that a server may take to close its side of a connection. */
const CLOSE_TIMEOUT_MS = 500

/**
 * Longest idle time, in ms, of a connection whose server sent no `Keep-Alive: timeout`. uvicorn, and with it vLLM and
 * most servers in Python, closes after 5 s without notice, and a request that crosses that is lost.
 */
const UNHINTED_IDLE_MS = 4_000

/** Ms by which a connection closes before the server's own time (`Keep-Alive: timeout`, in seconds). */
const HINT_MARGIN_MS = 1_000

/** Bytes up to which a body is copied behind its head, to be one write. */
const COPIED_BYTES = 16 * 1024

export class H1Connection implements Connection, ResponseSink {
  readonly protocol = "http/1.1"
  readonly openedAt = performance.now()
  readonly expiresAt: number
  idleSince = performance.now()
  active = 0
  failures = 0
  goodBefore = 0
  readonly #host: ConnectionHost
  /** Host and port. */
  readonly #authority: string
  readonly #origin: string
  readonly #socket: Socket
  readonly #limits: ConnectionLimits
  readonly #reader: ResponseReader
  /** Ms for which it may be idle: by the server's last word, if there was one. */
  #idleTime: number
  #exchange: PendingRequest | undefined
  #progress: Progress | undefined
  /** Until the exchange is written. */
  #writing: NodeJS.Immediate | undefined
  /** True while a streamed body is being sent. */
  #uploading = false
  #paused = false
  #retired = false
  /** True if the connection ends with the exchange that is on it. */
  #isLast = false
  /** True if a byte of the exchange may have left: the kernel has taken some, or will. */
  #left = false
  /** True if anything was read since the exchange was sent, or since the last informational head. */
  #heard = false
  #cause: unknown
  #farewell: NodeJS.Timeout | undefined

  constructor(host: ConnectionHost, url: URL, socket: Socket, limits: ConnectionLimits) {
    this.#host = host
    this.#authority = url.host
    this.#origin = url.origin
    this.#socket = socket
    this.#limits = limits
    this.#reader = new ResponseReader(this, limits)
    this.#idleTime = Math.min(limits.keepAlive, UNHINTED_IDLE_MS)
    this.expiresAt = expiry(this.openedAt, limits.maxConnectionAge)
    socket.on("error", this.#onError)
    socket.on("readable", this.#read)
    socket.on("end", this.#onFin)
    socket.once("close", this.#onClose)
    noteWrites(socket, () => (this.#left = true))
    announceConnection(url, socket, "h1")
  }

  room(): number {
    return this.#retired || this.#exchange !== undefined || this.#socket.destroyed ? 0 : 1
  }

  send(exchange: PendingRequest): boolean {
    // By the clock: an event loop that was blocked has not ticked.
    if (this.#idleTime > 0 && this.#isIdleTooLong(performance.now())) {
      this.retire()
      return false
    }
    const { body, method, path } = exchange.request
    exchange.dispatched(this)
    const given = sealed(exchange.request)
    const progress = announce(this.#origin, method, path, given)
    // Sealing and subscribers run code of others, which may have aborted it.
    if (exchange.isDone()) {
      progress?.failed(undefined)
      queueMicrotask(this.#free)
      return true
    }
    const headers = progress?.head() ?? given
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    const content = isStreamed(bytes) ? (bytes.length ?? "chunked") : bytes?.length
    this.#isLast = this.#limits.keepAlive <= 0 || endsConnection(method, content)
    let head: string
    try {
      head = requestHead(this.#authority, { method, path, headers, content, keepsAlive: !this.#isLast })
    } catch (error) {
      const why = unsendable(error)
      progress?.failed(why)
      exchange.detach()
      exchange.fail(why)
      queueMicrotask(this.#free)
      return true
    }
    this.active = 1
    this.#exchange = exchange
    this.#progress = progress
    this.#heard = this.#left = this.#paused = false
    // Input that has come on the idle connection, bytes or its end, is read first: it could be taken for the response.
    this.#writing = setImmediate(() => {
      this.#writing = undefined
      if (this.#exchange === exchange && !this.#socket.destroyed) this.#write(exchange, head, bytes)
    })
    return true
  }

  #write(exchange: PendingRequest, head: string, body: Exclude<PendingRequest["request"]["body"], string>): void {
    const progress = this.#progress
    progress?.sent(this.#socket)
    this.#reader.begin(exchange.request.method)
    const socket = this.#socket
    if (isStreamed(body)) {
      this.#uploading = true
      socket.write(head, "latin1")
      const framing = body.length === undefined ? chunked(socket) : sized(socket)
      upload(body, socket, framing).then(
        () => {
          if (this.#exchange === exchange) this.#uploading = false
          progress?.bodySent()
        },
        (error: unknown) => exchange.fail(uploadError(error))
      )
      return
    }
    if (body === undefined || body.length === 0) socket.write(head, "latin1")
    else if (body.length <= COPIED_BYTES) {
      const all = Buffer.allocUnsafe(head.length + body.length)
      all.write(head, "latin1")
      all.set(body, head.length)
      socket.write(all)
    } else {
      socket.cork()
      socket.write(head, "latin1")
      socket.write(body)
      socket.uncork()
    }
    if (progress !== undefined) {
      if (body !== undefined) progress.bodyChunk(body)
      progress.bodySent()
    }
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#read()
  }

  abort(exchange: PendingRequest, error: WireError): void {
    if (this.#exchange !== exchange) return
    this.#progress?.failed(error)
    const isWritten = this.#writing === undefined
    this.#drop()
    if (!isWritten) return queueMicrotask(this.#free)
    // The socket goes with it: HTTP/1.1 has no other way to stop a response.
    this.retire()
    this.#socket.destroy()
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
    this.#farewell = root(setTimeout, () => this.#socket.destroy(), CLOSE_TIMEOUT_MS).unref()
    this.#socket.end()
  }

  destroy(error: WireError): void {
    this.#exchange?.fail(error)
    this.retire()
    this.#socket.destroy()
  }

  exchanges(): Iterable<PendingRequest> {
    return this.#exchange === undefined ? [] : [this.#exchange]
  }

  tick(now: number): void {
    if (this.#isIdleTooLong(now)) this.retire()
  }

  #isIdleTooLong(now: number): boolean {
    return this.#exchange === undefined && now - this.idleSince >= this.#idleTime
  }

  // ResponseSink

  onHead(head: ResponseHead): void {
    if (head.status < 200) {
      this.#heard = false
      return
    }
    const exchange = this.#exchange
    if (exchange === undefined) return
    const { headers, idle, keepsAlive, status } = head
    const { keepAlive } = this.#limits
    this.#idleTime = Math.min(keepAlive, idle === undefined ? UNHINTED_IDLE_MS : idle - HINT_MARGIN_MS)
    if (!keepsAlive || this.#idleTime <= 0) this.#isLast = true
    const refusal = headRefusal(headers, this.#limits)
    if (refusal !== undefined) return exchange.fail(refusal)
    this.#progress?.answered(status, headers)
    this.#host.answered(this, exchange, status)
    exchange.respond(status, headers)
  }

  onData(chunk: Uint8Array): void {
    this.#progress?.data(chunk)
    this.#exchange?.data(chunk)
  }

  onEnd(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#progress?.ended()
    // The rest of an upload is of no use once its response has ended, and would be in the way of the next request.
    const isOver = this.#isLast || this.#uploading || this.#socket.writableLength > 0
    this.#drop()
    exchange.end()
    if (isOver) {
      this.retire()
      this.#socket.destroy()
    } else queueMicrotask(this.#free)
  }

  // The socket's events

  #read = (): void => {
    while (!this.#paused) {
      const bytes = this.#socket.read() as Buffer | null
      if (bytes === null) return
      // Unsolicited bytes.
      if (!this.#reader.isBusy) return void this.#socket.destroy()
      this.#heard = true
      try {
        if (this.#reader.read(bytes).length > 0) this.#socket.destroy()
      } catch (error) {
        this.#broken(error)
      }
    }
  }

  #onFin = (): void => {
    try {
      // A body that only the connection's end delimits may be incomplete after a reset.
      if (this.#cause === undefined && this.#writing === undefined) this.#reader.finish()
    } catch (error) {
      this.#broken(error)
    }
    this.#socket.destroy()
  }

  #onClose = (): void => {
    this.#paused = false
    // Bytes that came before a reset may still be unread.
    this.#read()
    this.#failed(this.#cause ?? new Error("the connection was closed"))
    this.retire()
    clearTimeout(this.#farewell)
    this.#host.gone(this)
  }

  #onError = (error: unknown): void => {
    this.#cause ??= error
  }

  #broken(error: unknown): void {
    this.#failed(this.#cause ?? error)
    this.#socket.destroy()
  }

  #failed(error: unknown): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    // Once answered, or begun to be, it has left, be the server early.
    const hasLeft = this.#left || this.#heard || !exchange.isSent()
    const why = hasLeft ? h1Error(error, !exchange.isSent(), this.#heard) : unwritten(error)
    this.#progress?.failed(why)
    this.#drop()
    exchange.detach()
    if (hasLeft) exchange.fail(why)
    else this.#host.requeue(exchange, why)
    this.retire()
  }

  /** The exchange is over, for better or worse. */
  #drop(): void {
    clearImmediate(this.#writing)
    this.#writing = this.#exchange = this.#progress = undefined
    this.#uploading = this.#paused = false
    this.active = 0
    this.idleSince = performance.now()
  }

  #free = (): void => {
    if (this.#retired || this.#socket.destroyed) this.retire()
    else if (this.#exchange === undefined) this.#host.freed(this)
  }
}

/**
 * Calls `left` for each write that the kernel did not refuse there and then, as it does when the connection has been
 * reset and that has not been read yet. `bytesWritten` counts those too.
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
