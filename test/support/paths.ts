/** Ways between a client and a server that fail as ways do: one goes silent, and a name moves to another address. */
import dns from "node:dns"
import * as http2 from "node:http2"
import * as net from "node:net"
import { certificate } from "../../src/internal/sandbox/certificate.ts"

interface Closable {
  readonly port: number
  readonly close: () => Promise<void>
}

const closing = (server: net.Server, sockets: ReadonlySet<net.Socket>) => (): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    for (const socket of sockets) socket.destroy()
  })

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port

const listening = (server: net.Server, address: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, address, resolve)
  })

export interface Place extends Closable {
  /** When the last request came, by performance.now(). */
  readonly last: number
  /** Connections. */
  readonly open: number
  /** Ends the answers to `/held`. */
  readonly release: () => void
}

/** A server of HTTP/2 and HTTP/1.1 over TLS that answers with its own address; to `/held` only on command. */
export const serveAt = async (address: string, port = 0): Promise<Place> => {
  const { cert, key } = certificate
  const sockets = new Set<net.Socket>()
  const held: Array<() => void> = []
  let last = 0
  const server = http2.createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    last = performance.now()
    response.write("from ")
    if (request.url === "/held") held.push(() => void response.end(address))
    else response.end(address)
  })
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
  })
  await listening(server, address, port)
  return {
    port: portOf(server),
    get last() {
      return last
    },
    get open() {
      return sockets.size
    },
    release: () => held.splice(0).forEach((end) => end()),
    close: closing(server, sockets)
  }
}

export interface Path extends Closable {
  /** Open connections silently pass nothing any more; new ones work. */
  readonly silence: () => void
}

/** A way to a port of this machine. */
export const servePath = async (to: number): Promise<Path> => {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((client) => {
    const upstream = net.connect(to, "127.0.0.1")
    for (const [one, other] of [
      [client, upstream],
      [upstream, client]
    ] as const) {
      sockets.add(one)
      one.setNoDelay(true)
      one.pipe(other)
      one.on("error", () => undefined)
      one.on("close", () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  await listening(server, "127.0.0.1", 0)
  return {
    port: portOf(server),
    silence: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    close: closing(server, sockets)
  }
}

/** From now on `localhost` is at whatever address `where` says when it is looked up. Returns how to undo it. */
export const moveLocalhost = (where: () => string): (() => void) => {
  const { lookup } = dns
  const moved = (name: string, ...rest: ReadonlyArray<unknown>): void =>
    Reflect.apply(lookup, dns, [name === "localhost" ? where() : name, ...rest])
  Object.assign(dns, { lookup: moved })
  return () => void Object.assign(dns, { lookup })
}
