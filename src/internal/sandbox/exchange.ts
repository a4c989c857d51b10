/** One request and its answer, whichever HTTP it came over. Plain callbacks: this is the path of every request. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2"
import type { Readable } from "node:stream"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { setTimeout } from "../util/timers.ts"

export interface Connection {
  readonly id: number
  readonly openedAt: number
  readonly tls: boolean
  /** Protocol of the connection, undefined before its first bytes. */
  protocol: "h2" | "http/1.1" | undefined
  /** The subject of the client's certificate, where one was shown. */
  clientName: string | undefined
  closed: boolean
  requests: number
  inFlight: number
  peakInFlight: number
}

export type Headers = Record<string, string>

export interface Exchange {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly connection: Connection
  readonly body: Readable
  readonly header: (name: string) => string | undefined
  readonly isOpen: () => boolean
  /** The status that was sent, once it was. */
  readonly status: number | undefined
  readonly head: (status: number, headers: Headers) => void
  readonly write: (chunk: string | Uint8Array, done?: () => void) => void
  readonly end: (chunk?: string | Uint8Array) => void
  /** Cancels the answer from our side: RST_STREAM with `code` on HTTP/2, the socket closed on HTTP/1.1. */
  readonly reset: (code: number) => void
  /** GOAWAY on HTTP/2; `connection: close` on HTTP/1.1. */
  readonly goAway: (code: number) => void
  /** Bytes that are not HTTP, then the end of the connection. */
  readonly garble: (bytes: Uint8Array) => void
  /** Runs once when both sides are done, with the reset code if the client gave up first (`"socket"` on HTTP/1.1). */
  readonly onClose: (f: (aborted: number | "socket" | undefined) => void) => void
}

const first = (value: string | Array<string> | undefined): string | undefined =>
  typeof value === "object" ? value[0] : value

export class Http1Exchange implements Exchange {
  readonly method: string
  readonly url: string
  readonly connection: Connection
  readonly body: IncomingMessage
  readonly #response: ServerResponse
  status: number | undefined
  #ours = false

  constructor(request: IncomingMessage, response: ServerResponse, connection: Connection) {
    this.method = request.method ?? "GET"
    this.url = request.url ?? "/"
    this.connection = connection
    this.body = request
    this.#response = response
  }
  header(name: string): string | undefined {
    return first(this.body.headers[name])
  }
  isOpen(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded
  }
  head(status: number, headers: Headers): void {
    this.status = status
    this.#response.writeHead(status, headers)
  }
  write(chunk: string | Uint8Array, done?: () => void): void {
    this.#response.write(chunk, done === undefined ? undefined : () => done())
  }
  end(chunk?: string | Uint8Array): void {
    if (chunk === undefined) this.#response.end()
    else this.#response.end(chunk)
  }
  reset(): void {
    this.#ours = true
    this.body.socket.destroy()
  }
  goAway(): void {
    this.#response.setHeader("connection", "close")
  }
  garble(bytes: Uint8Array): void {
    this.#ours = true
    const socket = this.body.socket
    socket.end(bytes)
    // A client that keeps its side open would keep ours as well.
    setTimeout(() => socket.destroy(), 50).unref()
  }
  onClose(f: (aborted: number | "socket" | undefined) => void): void {
    const response = this.#response
    response.on("close", () => f(response.writableFinished || this.#ours ? undefined : "socket"))
  }
}

export class Http2Exchange implements Exchange {
  readonly method: string
  readonly url: string
  readonly connection: Connection
  readonly body: ServerHttp2Stream
  readonly #headers: IncomingHttpHeaders
  readonly #socket: Socket
  status: number | undefined
  #ours = false
  #ended = false

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: Connection, socket: Socket) {
    this.method = headers[":method"] ?? "GET"
    this.url = headers[":path"] ?? "/"
    this.connection = connection
    this.body = stream
    this.#headers = headers
    this.#socket = socket
  }
  header(name: string): string | undefined {
    return first(this.#headers[name])
  }
  isOpen(): boolean {
    return !this.body.destroyed && !this.body.closed && !this.body.writableEnded
  }
  head(status: number, headers: Headers): void {
    this.status = status
    this.body.respond({ ":status": status, ...headers })
  }
  write(chunk: string | Uint8Array, done?: () => void): void {
    this.body.write(chunk, done === undefined ? undefined : () => done())
  }
  end(chunk?: string | Uint8Array): void {
    this.#ended = true
    if (chunk === undefined) this.body.end()
    else this.body.end(chunk)
  }
  reset(code: number): void {
    this.#ours = true
    // Node would send END_STREAM before RST_STREAM, and a cut body would look whole.
    this.body.end = () => this.body
    this.body.close(code)
  }
  goAway(code: number): void {
    const { session } = this.body
    session?.goaway(code)
    // Node keeps the socket of a session that sent GOAWAY, even when the client has closed its own side.
    this.body.once("close", () => session?.close())
  }
  garble(bytes: Uint8Array): void {
    this.#ours = true
    // A write past the session ends the process if it doesn't complete at once (an assertion in node_http2.cc of 24.21
    // at least), and over TLS none does: there the connection just breaks.
    if (this.#socket instanceof TLSSocket) return void this.#socket.destroy()
    this.#socket.write(bytes)
    setTimeout(() => this.#socket.destroy(), 50).unref()
  }
  onClose(f: (aborted: number | "socket" | undefined) => void): void {
    const stream = this.body
    stream.on("error", () => {})
    // Node ends the writable side of a stream that was reset, so `writableFinished` is useless here.
    stream.on("close", () => {
      const code = stream.rstCode ?? 0
      f(this.#ours || (this.#ended && code === 0) ? undefined : code)
    })
  }
}
