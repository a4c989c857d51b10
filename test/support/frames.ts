/**
 * A server of hand-written HTTP/2 frames, for what no HTTP/2 library would do: half bodies, resets with odd codes,
 * GOAWAY in mid-flight, silence. Over plain TCP by default.
 */
import * as net from "node:net"
import * as tls from "node:tls"
import { certificate } from "../../src/internal/sandbox/certificate.ts"

const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const GOAWAY = 7
const WINDOW_UPDATE = 8
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const preface = 24

const frame = (type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array()): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

const words = (...values: ReadonlyArray<number>): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => bytes.writeUInt32BE(value, 4 * i))
  return bytes
}

const maxStreams = (limit: number): Buffer => {
  const payload = Buffer.alloc(6)
  payload.writeUInt16BE(3, 0)
  payload.writeUInt32BE(limit, 2)
  return frame(SETTINGS, 0, 0, payload)
}

/** An HPACK string as it stands, its length an integer with a prefix of 7 bits. */
const string = (text: string): Buffer => {
  const length = Buffer.byteLength(text)
  const octets: Array<number> = []
  if (length < 127) octets.push(length)
  else {
    octets.push(127)
    let rest = length - 127
    for (; rest >= 128; rest >>= 7) octets.push((rest & 127) | 128)
    octets.push(rest)
  }
  return Buffer.concat([Buffer.from(octets), Buffer.from(text)])
}

/** An HPACK literal without indexing. */
const literal = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0]), string(name), string(value)])

export class FrameConnection {
  /** 1 for the server's first connection. */
  readonly index: number
  /** Requests on it so far. */
  requests = 0
  readonly #socket: net.Socket
  /** Below TLS. */
  readonly #bare: net.Socket

  constructor(index: number, socket: net.Socket, bare: net.Socket) {
    this.index = index
    this.#socket = socket
    this.#bare = bare
  }

  write(...frames: ReadonlyArray<Buffer>): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat(frames))
  }

  settings(limit: number): void {
    this.write(maxStreams(limit))
  }

  /** Response headers, with `:status` 200 by default. */
  headers(
    id: number,
    options: {
      readonly end?: boolean
      readonly status?: number
      readonly fields?: ReadonlyArray<readonly [name: string, value: string]>
    } = {}
  ): void {
    const status = options.status === undefined ? Buffer.from([0x88]) : literal(":status", String(options.status))
    const fields = (options.fields ?? []).map(([name, value]) => literal(name, value))
    const flags = END_HEADERS | (options.end === true ? END_STREAM : 0)
    this.write(frame(HEADERS, flags, id, Buffer.concat([status, ...fields])))
  }

  data(id: number, bytes: string | Uint8Array, end = false): void {
    this.write(frame(DATA, end ? END_STREAM : 0, id, Buffer.from(bytes as Uint8Array)))
  }

  trailers(id: number): void {
    this.write(frame(HEADERS, END_HEADERS | END_STREAM, id, literal("grpc-status", "0")))
  }

  respond(id: number, text = "ok"): void {
    this.headers(id)
    this.data(id, text, true)
  }

  reset(id: number, code: number): void {
    this.write(frame(RST_STREAM, 0, id, words(code)))
  }

  goaway(lastId: number, code = 0, data: string | Uint8Array = ""): void {
    this.write(frame(GOAWAY, 0, 0, Buffer.concat([words(lastId, code), Buffer.from(data as Uint8Array)])))
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** A TCP reset. */
  rst(): void {
    this.#bare.resetAndDestroy()
  }

  /** Bytes as they are, be they frames or not. */
  raw(bytes: string | Uint8Array): void {
    this.write(Buffer.from(bytes as Uint8Array))
  }

  /** Reads nothing any more. */
  deafen(): void {
    this.#socket.pause()
  }
}

export interface FrameScript {
  /** SETTINGS_MAX_CONCURRENT_STREAMS of the first SETTINGS, `undefined` to send none. @default 100 */
  readonly limit?: number | undefined
  /** Answers pings. @default true */
  readonly pong?: boolean
  /** Instead of that: a ping has come, and may be answered now, later or never. */
  readonly onPing?: (connection: FrameConnection, answer: () => void) => void
  /** `true`: with the certificate that tests trust. */
  readonly tls?: boolean | { readonly cert: string; readonly key: string }
  readonly onOpen?: (connection: FrameConnection) => void
  /** A request's headers have come. */
  readonly onHeaders?: (connection: FrameConnection, id: number) => void
  /** A part of a request's body has come. */
  readonly onData?: (connection: FrameConnection, id: number, bytes: Buffer) => void
  /** A request has ended. */
  readonly onRequest?: (connection: FrameConnection, id: number) => void
  readonly onReset?: (connection: FrameConnection, id: number) => void
  /** The client says that it will open no more streams. */
  readonly onGoaway?: (connection: FrameConnection) => void
}

export interface FrameServer {
  readonly origin: string
  readonly connections: number
  readonly open: number
  readonly requests: number
  readonly resets: ReadonlyArray<{ readonly id: number; readonly code: number }>
  readonly pings: number
  readonly close: () => Promise<void>
}

export const serveFrames = async (script: FrameScript): Promise<FrameServer> => {
  const silent = "limit" in script && script.limit === undefined
  const resets: Array<{ id: number; code: number }> = []
  const open = new Set<net.Socket>()
  /** Below TLS, by the client's port. */
  const bare = new Map<number | undefined, net.Socket>()
  let connections = 0
  let requests = 0
  let pings = 0

  const onFrame = (connection: FrameConnection, type: number, flags: number, id: number, payload: Buffer): void => {
    if (type === SETTINGS && (flags & ACK) === 0) {
      if (!silent) connection.write(frame(SETTINGS, ACK, 0))
    } else if (type === PING && (flags & ACK) === 0) {
      pings++
      const answer = (): void => connection.write(frame(PING, ACK, 0, payload))
      if (script.onPing !== undefined) script.onPing(connection, answer)
      else if (script.pong !== false) answer()
    } else if (type === GOAWAY) {
      script.onGoaway?.(connection)
    } else if (type === RST_STREAM) {
      resets.push({ id, code: payload.readUInt32BE(0) })
      script.onReset?.(connection, id)
    } else if (type === DATA || type === HEADERS) {
      if (type === HEADERS) script.onHeaders?.(connection, id)
      else {
        // Else the connection's 64 KB would be all that requests can send on it.
        if (payload.length > 0) connection.write(frame(WINDOW_UPDATE, 0, 0, words(payload.length)))
        script.onData?.(connection, id, payload)
      }
      if ((flags & END_STREAM) === 0) return
      requests++
      connection.requests++
      script.onRequest?.(connection, id)
    }
  }

  const onSocket = (socket: net.Socket): void => {
    const connection = new FrameConnection(++connections, socket, bare.get(socket.remotePort) ?? socket)
    open.add(socket)
    socket.setNoDelay(true)
    socket.on("error", () => undefined)
    socket.on("end", () => socket.end())
    socket.on("close", () => open.delete(socket))
    if (!silent) connection.settings(script.limit ?? 100)
    script.onOpen?.(connection)
    let buffer = Buffer.alloc(0)
    let greeted = false
    socket.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      if (!greeted) {
        if (buffer.length < preface) return
        buffer = buffer.subarray(preface)
        greeted = true
      }
      while (buffer.length >= 9) {
        const length = buffer.readUIntBE(0, 3)
        if (buffer.length < 9 + length) return
        const [type = 0, flags = 0] = [buffer[3], buffer[4]]
        const id = buffer.readUInt32BE(5) & 0x7fffffff
        const payload = buffer.subarray(9, 9 + length)
        buffer = buffer.subarray(9 + length)
        onFrame(connection, type, flags, id, payload)
      }
    })
  }

  const pair = script.tls === true ? certificate : script.tls
  const server =
    pair === undefined || pair === false
      ? net.createServer(onSocket)
      : tls.createServer({ key: pair.key, cert: pair.cert, ALPNProtocols: ["h2"] }, onSocket)
  server.on("connection", (socket: net.Socket) => {
    bare.set(socket.remotePort, socket)
    socket.on("error", () => undefined)
    socket.on("close", () => bare.delete(socket.remotePort))
  })
  server.on("tlsClientError", () => undefined)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    origin: `${pair === undefined || pair === false ? "http" : "https"}://127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    get open() {
      return open.size
    },
    get requests() {
      return requests
    },
    get pings() {
      return pings
    },
    resets,
    close: () =>
      new Promise((resolve) => {
        for (const socket of [...open, ...bare.values()]) socket.destroy()
        server.close(() => resolve())
      })
  }
}
