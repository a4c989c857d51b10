/**
 * A lane of HTTP/2: one session on node:http2, kept alive by pings, that never takes more streams than it may and never
 * resets more than servers bear. It only leans on what was measured to hold on Node 22, 24 and 26.
 */
import * as http2 from "node:http2"
import type { Socket } from "node:net"
import { WireError } from "../../wire/errors.ts"
import type { WireResponse } from "../../http/types.ts"
import { Cancels } from "./cancels.ts"
import { announce, announceConnection, type Progress } from "../channels.ts"
import { root } from "../../util/asyncContext.ts"
import { h2Error, unsendable, uploadError } from "../errors.ts"
import { type PendingRequest, sealed } from "../pendingRequest.ts"
import { type Goaway, goawayOf } from "./goaway.ts"
import { checkHead, headRefusal } from "../head.ts"
import { openSession } from "./session.ts"
import { Heartbeat } from "./heartbeat.ts"
import { expiry, type Connection, type ConnectionHost, type ConnectionLimits } from "../connection.ts"
import { Outflow } from "./uploadProgress.ts"
import { readOn } from "./readOn.ts"
import { isStreamed, noting, shared, upload } from "../upload.ts"
import { performance, setImmediate, setTimeout } from "../../util/timers.ts"

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants

/** Streams on one session at most, whatever the server allows. */
const mostStreams = 4_000
/** Pause, in ms, in which a session that refused a stream gets no new ones. */
const coolDown = 50
/** Ms that a server has to close its side of a session that we closed. */
const closeTimeout = 1_000

/** An exchange's stream carries it, so that listeners are shared and a request allocates none. */
interface Stream extends http2.ClientHttp2Stream {
  exchange: PendingRequest
  lane: H2Connection
  progress: Progress | undefined
  /** END_STREAM has come, as opposed to a reset. */
  whole: boolean
  cancelled: boolean
  failure: unknown
  /** Bytes that the session had written before. Frames are written a little later than they are made. */
  writtenBefore: number
  inner: (chunk: unknown, encoding?: BufferEncoding) => boolean
}

export class H2Connection implements Connection {
  readonly protocol = "h2"
  readonly openedAt = performance.now()
  readonly expiresAt: number
  idleSince = performance.now()
  active = 0
  failures = 0
  goodBefore = 0
  /** Streams that it takes by the server's last word, less the headroom if it has one; `undefined` before SETTINGS. */
  limit: number | undefined
  /** Since when the server has allowed no streams at all. */
  barredSince: number | undefined
  readonly #host: ConnectionHost
  readonly limits: ConnectionLimits
  readonly #origin: string
  readonly #socket: Socket
  readonly #session: http2.ClientHttp2Session
  readonly #streams = new Set<Stream>()
  #ready: ((error?: unknown) => void) | undefined
  #retired = false
  #lastId = Infinity
  /** Streams that the server allows. */
  #allowed = 0
  readonly #cancels: Cancels
  #coolUntil = 0
  readonly #heartbeat: Heartbeat
  readonly #outflow = new Outflow()
  #closedAt = 0
  #soon = false
  #cause: unknown
  #goaway: Goaway | undefined

  /** `ready` is called once: when the server's SETTINGS have come, or with why they never will. */
  constructor(
    host: ConnectionHost,
    origin: string,
    socket: Socket,
    limits: ConnectionLimits,
    ready: (error?: unknown) => void
  ) {
    this.#host = host
    this.limits = limits
    this.#origin = origin
    this.#socket = socket
    this.#ready = ready
    this.expiresAt = expiry(this.openedAt, limits.maxConnectionAge)
    this.#heartbeat = new Heartbeat(limits.pingInterval, this.openedAt)
    this.#cancels = new Cancels({ probe: this.#probe, freed: () => this.#freed() })
    const session = (this.#session = openSession(origin, socket, limits))
    session.on("error", (error) => (this.#cause ??= error))
    session.on("frameError", () => undefined)
    session.on("remoteSettings", (settings) => this.#onSettings(settings))
    session.on("goaway", (code, lastId, data) => {
      // A notice of shutdown comes before the reason.
      this.#goaway = goawayOf(code, data)
      this.#lastId = Math.min(this.#lastId, lastId)
      this.#leave()
    })
    // TLS errors reach the session only as the close of its socket.
    socket.on("error", (error) => (this.#cause ??= error))
    session.once("close", () => {
      this.#leave()
      socket.destroy()
      if (this.#ready === undefined) host.gone(this)
      else this.#whenReady(this.#cause ?? new Error("the session was closed before its SETTINGS"))
    })
  }

  room(): number {
    if (this.#retired || this.limit === undefined || this.#coolUntil > performance.now()) return 0
    if (this.#heartbeat.suspect || this.#session.closed || this.#session.destroyed || this.#socket.destroyed) return 0
    return this.limit - this.active - this.#cancels.held
  }

  /**
   * Number of requests that it will take as soon as it has cooled down, or a doubt is cleared; 0 in any other state.
   */
  soon(): number {
    const now = performance.now()
    if (this.limit === undefined || (this.#coolUntil <= now && !this.#heartbeat.hopes(now))) return 0
    return this.limit - this.active - this.#cancels.held
  }

  send(exchange: PendingRequest): boolean {
    if (this.#session.closed || this.#session.destroyed) {
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
      return true
    }
    const headers = progress?.head() ?? given
    const all: http2.OutgoingHttpHeaders = { ":method": method, ":path": path, ...headers }
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    const length = bytes === undefined ? (needsLength(method) ? 0 : undefined) : bytes.length
    if (length !== undefined) all["content-length"] = length
    const empty = bytes === undefined || length === 0
    let stream: Stream
    const writtenBefore = this.#socket.bytesWritten
    try {
      checkHead(headers)
      stream = tag(this.#session.request(all, { endStream: empty }), exchange, this)
    } catch (error) {
      const why = unsendable(error)
      progress?.failed(why)
      exchange.detach()
      exchange.fail(why)
      return true
    }
    stream.progress = progress
    progress?.sent(this.#socket)
    stream.writtenBefore = writtenBefore
    exchange.stream = stream
    this.active++
    this.#streams.add(stream)
    if (empty) {
      progress?.bodySent()
      return true
    }
    const whole = isStreamed(bytes) ? bytes : shared(bytes)
    const outgoing = progress === undefined ? whole : noting(whole, (chunk) => progress.bodyChunk(chunk))
    if (progress !== undefined) stream.once("finish", () => progress.bodySent())
    if (isStreamed(outgoing)) {
      upload(outgoing, stream).catch((error: unknown) => {
        if (exchange.stream === stream) exchange.fail(uploadError(error))
      })
    } else stream.end(outgoing)
    return true
  }

  pause(exchange: PendingRequest): void {
    exchange.stream?.pause()
  }

  resume(exchange: PendingRequest): void {
    exchange.stream?.resume()
  }

  /** RST_STREAM(CANCEL) and nothing else: `close()` followed by `destroy()` makes Node spin until memory ends. */
  abort(exchange: PendingRequest, error?: WireError): void {
    // A timeout may mean that the other side is gone: old versions of Node do not even read on after a protocol error,
    // and report nothing.
    if (error?.reason === "Timeout") {
      this.#doubt()
      this.#host.answered(this, exchange, undefined)
    }
    const stream = exchange.stream as Stream | undefined
    if (stream !== undefined && error !== undefined) stream.progress?.failed(error)
    if (stream === undefined || stream.closed || stream.destroyed) return
    stream.cancelled = true
    stream.resume()
    stream.close(NGHTTP2_CANCEL)
    const tooMany = this.#cancels.reset(performance.now())
    this.#setLimit()
    if (tooMany) this.retire()
  }

  /** The session itself is closed when it is empty: after a client's GOAWAY some servers stall what is still open. */
  retire(): void {
    this.#leave()
    if (this.active === 0) this.#close()
  }

  destroy(error: WireError): void {
    this.#leave()
    for (const stream of this.#streams) stream.exchange.fail(error)
    this.#session.destroy()
    this.#socket.destroy()
  }

  *exchanges(): Iterable<PendingRequest> {
    for (const stream of this.#streams) yield stream.exchange
  }

  tick(now: number): void {
    if (this.#closedAt > 0) {
      if (now - this.#closedAt > closeTimeout) {
        this.#session.destroy()
        // A session that has closed by itself waits for the server to close the socket, and some never do.
        this.#socket.destroy()
      }
      return
    }
    if (this.#session.destroyed) return
    readOn(this.#socket)
    const left = this.#outflow.look(this.#socket)
    const beat = this.#heartbeat.beat(now, this.active, this.#cancels.held, this.#socket.bytesRead, left)
    if (beat === "dead") this.#giveUp()
    else if (beat === "ping") this.#session.ping(this.#onPong)
    else if (this.active === 0 && now - this.idleSince >= this.limits.keepAlive) this.retire()
  }

  #doubt(): void {
    if (this.#session.destroyed) return
    const left = this.#outflow.look(this.#socket)
    if (this.#heartbeat.doubt(performance.now(), this.#socket.bytesRead, left)) this.#session.ping(this.#onPong)
  }

  #onPong = (error: Error | null): void => {
    // The answer counts, not the error that stands in for it when the session dies first.
    if (error !== null) return
    const { suspect } = this.#heartbeat
    this.#heartbeat.answered()
    if (suspect) this.#freed()
  }

  #probe = (pong: (took: number) => void): void => {
    if (!this.#session.destroyed) this.#session.ping((error, took) => pong(error === null ? took : 0))
  }

  /** The path has died: what is on it may have been processed, what waits goes elsewhere. */
  #giveUp(): void {
    const { pingInterval } = this.limits
    this.#cause = new WireError("Timeout", "maybe", `pings were not answered within ${pingInterval} ms`)
    this.#leave()
    this.#session.destroy()
    this.#socket.destroy()
  }

  #onSettings({ maxConcurrentStreams = Infinity }: http2.Settings): void {
    this.#allowed = maxConcurrentStreams
    this.#setLimit()
    if (this.#ready === undefined) this.#freed()
    else this.#whenReady()
  }

  #setLimit(): void {
    const most = Math.min(mostStreams, this.#cancels.within(this.#allowed))
    this.limit = this.#allowed === 0 ? 0 : Math.max(1, Math.floor(most))
    this.barredSince = this.#allowed === 0 ? (this.barredSince ?? performance.now()) : undefined
  }

  #whenReady(error?: unknown): void {
    const ready = this.#ready
    this.#ready = undefined
    if (ready !== undefined && error === undefined) announceConnection(new URL(this.#origin), this.#socket, "h2")
    if (ready !== undefined) root(ready, error)
  }

  /** No new streams. */
  #leave(): void {
    if (this.#retired) return
    this.#retired = true
    if (this.#ready === undefined) this.#host.retired(this)
  }

  #close(): void {
    if (this.#closedAt > 0) return
    this.#closedAt = performance.now()
    this.#session.close()
  }

  /** The streams of a dying session close before it does: the next lane is chosen when all of that is known. */
  #freed(): void {
    if (this.#soon) return
    this.#soon = true
    setImmediate(() => {
      this.#soon = false
      this.#host.freed(this)
    })
  }

  /** A response has begun. */
  heard(exchange: PendingRequest, status: number): void {
    this.#cancels.heard()
    this.#host.answered(this, exchange, status)
  }

  /** Called for every stream, whatever became of it. */
  gone(stream: Stream): void {
    const { exchange } = stream
    const code = stream.rstCode
    this.#streams.delete(stream)
    this.active--
    if (this.active === 0) this.idleSince = performance.now()
    if (stream.cancelled && !this.#retired) this.#cancels.closed()
    if (!exchange.isDone() && exchange.stream === stream) {
      const cause = stream.failure ?? this.#cause
      exchange.detach()
      if (exchange.isSent()) this.#unanswered(stream, code, cause)
      else if (stream.whole && code === NGHTTP2_NO_ERROR) end(stream)
      else cut(stream, h2Error(code, true, "maybe", cause, this.#goaway))
    }
    if (this.#retired && this.active === 0) this.#close()
    this.#freed()
  }

  #unanswered(stream: Stream, code: number, cause: unknown): void {
    const { exchange, id } = stream
    // A stream is numbered as it is handed to nghttp2, unless the numbers are used up: 2^30 requests, some weeks.
    const unwritten = id === undefined || stream.writtenBefore === this.#socket.bytesWritten
    const refused = code === NGHTTP2_REFUSED_STREAM || unwritten || id > this.#lastId
    if (isOutOfStreams(cause)) this.retire()
    if ((code === NGHTTP2_REFUSED_STREAM || code === NGHTTP2_ENHANCE_YOUR_CALM) && !this.#retired) this.#cool()
    const why = h2Error(code, false, refused ? "no" : "maybe", cause, this.#goaway)
    stream.progress?.failed(why)
    if (refused) return this.#host.requeue(exchange, why)
    this.#host.answered(this, exchange, undefined)
    exchange.fail(why)
  }

  #cool(): void {
    this.#coolUntil = performance.now() + coolDown
    setTimeout(() => this.#freed(), coolDown + 1).unref()
  }
}

type ResponseHeaders = http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader

const needsLength = (method: string): boolean => method === "POST" || method === "PUT" || method === "PATCH"

const isOutOfStreams = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_HTTP2_OUT_OF_STREAMS"

const tag = (bare: http2.ClientHttp2Stream, exchange: PendingRequest, lane: H2Connection): Stream => {
  const stream = bare as Stream
  stream.exchange = exchange
  stream.lane = lane
  stream.progress = undefined
  stream.whole = false
  stream.cancelled = false
  stream.failure = undefined
  stream.writtenBefore = 0
  // A reset with NO_ERROR looks like a normal end, save that the stream is closed when `null` is pushed.
  stream.inner = stream.push
  stream.push = notingPush
  stream.on("response", onResponse)
  stream.on("error", onError)
  stream.on("close", onClose)
  return stream
}

function notingPush(this: Stream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null && !this.closed) this.whole = true
  return this.inner(chunk, encoding)
}

function onResponse(this: Stream, headers: ResponseHeaders, _: number, raw?: ReadonlyArray<string>): void {
  const { exchange } = this
  if (exchange.stream !== this) return
  const head = pairs(raw ?? [])
  const refusal = headRefusal(head, this.lane.limits)
  if (refusal !== undefined) return exchange.fail(refusal)
  const status = headers[":status"] ?? 0
  this.progress?.answered(status, head)
  this.lane.heard(exchange, status)
  exchange.respond(status, head)
  // Not earlier: data can come before 'response', and would be lost.
  this.on("data", onData)
  this.on("end", onEnd)
}

function onData(this: Stream, chunk: Uint8Array): void {
  this.progress?.data(chunk)
  this.exchange.data(chunk)
}

function onEnd(this: Stream): void {
  if (!this.whole || this.exchange.isDone()) return
  end(this)
  // The server has ended its response while we are still sending: the rest is not wanted.
  if (!this.writableFinished) this.lane.abort(this.exchange)
}

const end = ({ exchange, progress }: Stream): void => {
  progress?.ended()
  exchange.end()
}

const cut = ({ exchange, progress }: Stream, error: WireError): void => {
  progress?.failed(error)
  exchange.fail(error)
}

function onError(this: Stream, error: unknown): void {
  this.failure ??= error
}

function onClose(this: Stream): void {
  this.lane.gone(this)
}

const pairs = (raw: ReadonlyArray<string>): WireResponse["headers"] => {
  const all: Array<readonly [string, string]> = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]
    const value = raw[i + 1]
    if (name !== undefined && value !== undefined && !name.startsWith(":")) all.push([name, value])
  }
  return all
}
