/** HTTP/1.1 by hand, over plain TCP or TLS: it reads requests of known length, and writes the given bytes. */
import * as net from "node:net"
import * as tls from "node:tls"
import { certificate } from "../../../src/internal/sandbox/certificate.ts"
import type { Fields, Line, Wire } from "./arrival.ts"
import type { Endpoint, EndpointOptions } from "./endpoint.ts"

const isFinal = (status: number): boolean => status >= 200

const wireOf = (socket: net.Socket, line: Line, text: string): Wire => {
  const write = (bytes: string | Uint8Array): void => {
    if (!socket.destroyed) socket.write(bytes)
  }
  let chunked = false
  return {
    line,
    stream: 0,
    text,
    head: (status = 200, fields = {}) => {
      chunked = isFinal(status) && fields["content-length"] === undefined
      const all = chunked ? { ...fields, "transfer-encoding": "chunked" } : fields
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
      write(`HTTP/1.1 ${status} Told\r\n${lines.join("")}\r\n`)
    },
    data: (bytes) => {
      const size = Buffer.byteLength(bytes)
      if (size === 0) return
      write(
        chunked
          ? Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), Buffer.from(bytes as Uint8Array), crlf])
          : bytes
      )
    },
    end: () => {
      if (chunked) write("0\r\n\r\n")
    },
    reset: () => line.rst()
  }
}

const crlf = Buffer.from("\r\n")

export const serveBytes = async ({ onOpen, onRequest, secure }: EndpointOptions): Promise<Endpoint> => {
  /** Below TLS, by the client's port. */
  const bare = new Map<number | undefined, net.Socket>()
  let connections = 0
  let aborts = 0

  const onSocket = (socket: net.Socket): void => {
    const below = bare.get(socket.remotePort) ?? socket
    const line: Line = {
      index: ++connections,
      raw: (bytes) => void (socket.destroyed || socket.write(bytes)),
      fin: () => void socket.end(),
      rst: () => void below.resetAndDestroy(),
      goaway: () => undefined,
      allow: () => undefined
    }
    socket.setNoDelay(true)
    socket.on("error", () => undefined)
    let unanswered = 0
    socket.on("close", () => (aborts += unanswered))
    let buffer = Buffer.alloc(0)
    socket.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      for (;;) {
        const end = buffer.indexOf("\r\n\r\n")
        if (end === -1) return
        const head = buffer.toString("latin1", 0, end)
        const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
        const whole = end + 4 + length
        if (buffer.length < whole) return
        const body = buffer.toString("utf8", end + 4, whole)
        buffer = buffer.subarray(whole)
        unanswered++
        const wire = wireOf(socket, line, head)
        const answered = (status = 200, fields?: Fields): void => {
          unanswered--
          wire.head(status, fields)
        }
        onRequest({ ...wire, head: answered }, body)
      }
    })
    onOpen(line)
  }

  const onBare = (socket: net.Socket): void => {
    bare.set(socket.remotePort, socket)
    socket.on("error", () => undefined)
    socket.on("close", () => bare.delete(socket.remotePort))
  }
  const server = secure
    ? tls.createServer({ ...(secure === true ? certificate : secure), ALPNProtocols: ["http/1.1"] }, onSocket)
    : net.createServer(onSocket)
  server.on("connection", onBare)
  server.on("tlsClientError", () => undefined)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    connections: () => connections,
    open: () => bare.size,
    aborts: () => aborts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of bare.values()) socket.destroy()
      })
  }
}
