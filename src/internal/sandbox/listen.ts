/** One port in front, a plain or TLS socket server that counts, and node's HTTP/1.1 and HTTP/2 servers behind it. */
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import * as tls from "node:tls"
import { certificate } from "./certificate.ts"
import type { Counters } from "./counters.ts"
import { type ServedConnection, type Exchange, Http1Exchange, Http2Exchange } from "./exchange.ts"
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from "../util/timers.ts"

export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly protocol: "http/1.1" | "h2" | "both"
  readonly tls: boolean
  readonly maxStreams: number
  readonly requestClientCert: boolean
}

export interface Listener {
  readonly port: number
  /** Destroys every connection at once. Never rejects. */
  readonly close: () => Promise<void>
}

const PREFACE = Buffer.from("PRI * HTTP/2.0")
const CLOSE_TIMEOUT_MS = 1000
/** Twice of it is longer than a process that lives leaves pings unanswered, however busy its machine is. */
const PING_INTERVAL_MS = 20_000
const MAX_MISSED_PINGS = 2

/** A client that resets much or pipelines much is what we are for, so node's own defences stand far off. */
const http2Options = (maxStreams: number): http2.ServerOptions => ({
  maxSessionMemory: 4000,
  maxSessionInvalidFrames: 1_000_000,
  maxSessionRejectedStreams: 1_000_000,
  streamResetBurst: 1_000_000_000,
  streamResetRate: 1_000_000_000,
  settings: { maxConcurrentStreams: maxStreams, initialWindowSize: 1 << 20 }
})

/**
 * Ends the connection of a client that has gone. Node (24.21 at least) does not read while it writes over TLS, and
 * never notices a reset that comes just then: without pings such a connection would stay for ever.
 */
const endWithClient = (session: http2.ServerHttp2Session, socket: net.Socket): void => {
  let missed = 0
  const timer = setInterval(() => {
    if (session.destroyed || missed === MAX_MISSED_PINGS) return void socket.destroy()
    missed++
    session.ping(() => {
      missed = 0
    })
  }, PING_INTERVAL_MS).unref()
  socket.once("close", () => clearInterval(timer))
}

const subject = (socket: tls.TLSSocket): string | undefined => {
  const name = socket.getPeerCertificate().subject?.CN
  return typeof name === "string" ? name : undefined
}

/** Sockets that are open, and the connection that each belongs to: under TLS a connection has two. */
class Sockets {
  readonly #open = new Set<net.Socket>()
  readonly #connections = new WeakMap<net.Socket, ServedConnection>()
  readonly #byPeer = new Map<string, ServedConnection>()
  readonly #counters: Counters

  constructor(counters: Counters) {
    this.#counters = counters
  }

  of(socket: net.Socket): ServedConnection | undefined {
    return this.#connections.get(socket)
  }

  /** Adds a connection. */
  accept(socket: net.Socket, isTls: boolean): void {
    const connection = this.#counters.connect(isTls)
    const peer = `${socket.remoteAddress}:${socket.remotePort}`
    this.#byPeer.set(peer, connection)
    this.#add(socket, connection)
    socket.setNoDelay(true)
    socket.on("close", () => {
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer)
      this.#counters.disconnect(connection)
    })
  }

  /** Adds the TLS socket of a connection; `undefined` if that has gone. */
  secure(socket: tls.TLSSocket): ServedConnection | undefined {
    const connection = this.#byPeer.get(`${socket.remoteAddress}:${socket.remotePort}`)
    if (connection !== undefined) this.#add(socket, connection)
    return connection
  }

  /** Resolves when all have closed. */
  async destroy(): Promise<void> {
    const gone = [...this.#open].map((socket) => new Promise<void>((done) => socket.once("close", () => done())))
    for (const socket of this.#open) socket.destroy()
    await Promise.all(gone)
  }

  #add(socket: net.Socket, connection: ServedConnection): void {
    this.#open.add(socket)
    this.#connections.set(socket, connection)
    socket.on("error", () => {})
    socket.on("close", () => this.#open.delete(socket))
  }
}

type Handle = (exchange: Exchange) => void
type Serve = (socket: net.Socket, protocol: "h2" | "http/1.1") => void

interface Protocols {
  readonly serve: Serve
  readonly close: () => void
}

/** Servers of both protocols, which are given their sockets. */
const protocolsOf = (sockets: Sockets, maxStreams: number, handle: Handle): Protocols => {
  const http1 = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 })
  http1.timeout = 0
  http1.on("request", (request, response) => {
    const connection = sockets.of(request.socket)
    if (connection !== undefined) handle(new Http1Exchange(request, response, connection))
  })
  http1.on("clientError", (_error, socket) => socket.destroy())
  const h2 = http2.createServer(http2Options(maxStreams))
  h2.on("sessionError", () => {})
  return {
    serve: (socket, protocol) => {
      const connection = sockets.of(socket)
      if (connection === undefined) return
      connection.protocol = protocol
      if (protocol === "http/1.1") return void http1.emit("connection", socket)
      // Node makes the session within this emit, which is how a session finds its connection.
      h2.once("session", (session) => {
        session.setLocalWindowSize(16 << 20)
        endWithClient(session, socket)
        session.on("stream", (stream, headers) => handle(new Http2Exchange(stream, headers, connection, socket)))
      })
      h2.emit("connection", socket)
    },
    close: () => {
      http1.close()
      h2.close()
    }
  }
}

/** Without TLS there is no ALPN: HTTP/2 with prior knowledge begins with words that HTTP/1.1 never does. */
const sniff = (socket: net.Socket, serve: Serve): void => {
  socket.once("data", (chunk: Buffer) => {
    socket.pause()
    socket.unshift(chunk)
    const length = Math.min(chunk.length, PREFACE.length)
    serve(socket, chunk.subarray(0, length).equals(PREFACE.subarray(0, length)) ? "h2" : "http/1.1")
    setImmediate(() => socket.resume())
  })
}

/** The server that accepts connections. */
const frontOf = (options: ListenOptions, sockets: Sockets, serve: Serve): net.Server => {
  const front = options.tls
    ? tls.createServer({
        cert: certificate.cert,
        key: certificate.key,
        ALPNProtocols: options.protocol === "both" ? ["h2", "http/1.1"] : [options.protocol],
        ...(options.requestClientCert ? { ca: certificate.ca, requestCert: true, rejectUnauthorized: true } : {})
      })
    : net.createServer()
  front.on("connection", (socket: net.Socket) => {
    sockets.accept(socket, options.tls)
    if (options.tls) return
    if (options.protocol === "both") sniff(socket, serve)
    else serve(socket, options.protocol)
  })
  front.on("secureConnection", (socket: tls.TLSSocket) => {
    const connection = sockets.secure(socket)
    if (connection === undefined) return void socket.destroy()
    if (options.requestClientCert) connection.clientName = subject(socket)
    serve(socket, socket.alpnProtocol === "h2" ? "h2" : options.protocol === "h2" ? "h2" : "http/1.1")
  })
  front.on("tlsClientError", () => {})
  return front
}

/** Resolves with its port. */
const bind = async (front: net.Server, { host, port }: ListenOptions): Promise<number> => {
  await new Promise<void>((resolve, reject) => {
    front.once("error", reject)
    // The backlog bounds connects that are not accepted yet: thousands of agents may start at once.
    front.listen({ port, host, backlog: 4096 }, () => {
      front.off("error", reject)
      resolve()
    })
  })
  front.on("error", () => {})
  const address = front.address()
  return typeof address === "object" && address !== null ? address.port : port
}

export const listen = async (options: ListenOptions, counters: Counters, handle: Handle): Promise<Listener> => {
  const sockets = new Sockets(counters)
  const protocols = protocolsOf(sockets, options.maxStreams, handle)
  const front = frontOf(options, sockets, protocols.serve)
  const port = await bind(front, options)
  const close = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)
      const stopped = new Promise<void>((done) => front.close(() => done()))
      void Promise.all([stopped, sockets.destroy()]).then(() => {
        clearTimeout(timer)
        resolve()
      })
      protocols.close()
    })
  return { port, close }
}
