/**
 * A TCP proxy that is ill on demand, with the toxics of Shopify's toxiproxy: for what happens to bytes between a client
 * and a server that are both well. Toxics may come and go while connections are open.
 */
import * as net from "node:net"

/** Times in ms. Those that close or reset do it to both sides. */
type Toxic =
  /** Each byte arrives later. */
  | { readonly type: "latency"; readonly ms: number }
  | { readonly type: "bandwidth"; readonly bytesPerSecond: number }
  /** The end of a connection arrives later. */
  | { readonly type: "slowClose"; readonly ms: number }
  /** Nothing passes any more, and the connection closes after this time; never without one. */
  | { readonly type: "timeout"; readonly ms?: number }
  /** A TCP reset after this time. @default at once */
  | { readonly type: "resetPeer"; readonly ms?: number }
  /** In pieces of this size at most, one every so often. */
  | { readonly type: "slicer"; readonly bytes: number; readonly every: number }
  /** The connection closes after this many bytes. */
  | { readonly type: "limitData"; readonly bytes: number }

/** From the server to the client, or the other way. */
type Direction = "downstream" | "upstream"

export interface ToxicProxy {
  readonly port: number
  /** Accepted so far. */
  readonly connections: number
  readonly open: number
  /** @default "downstream" */
  readonly add: (toxic: Toxic, direction?: Direction) => void
  readonly clear: () => void
  /** Open connections silently pass nothing any more. */
  readonly freeze: () => void
  /** Refuses connections, and cuts those that are open. */
  readonly down: () => Promise<void>
  /** Brings it up where it was before `down`. */
  readonly up: () => Promise<void>
  readonly close: () => Promise<void>
}

const most = 256 * 1024

interface Piece {
  readonly bytes: Buffer
  /** By performance.now(). */
  readonly due: number
}

/** One direction of one connection. */
class Pipe {
  readonly #from: net.Socket
  readonly #to: net.Socket
  readonly #toxics: ReadonlySet<Toxic>
  #queue: Array<Piece> = []
  #queued = 0
  #passed = 0
  /** When the slowest toxic lets the next piece through. */
  #free = 0
  #ended = false
  #frozen = false
  #timer: NodeJS.Timeout | undefined

  constructor(from: net.Socket, to: net.Socket, toxics: ReadonlySet<Toxic>) {
    this.#from = from
    this.#to = to
    this.#toxics = toxics
    from.on("data", (bytes: Buffer) => this.#take(bytes))
    from.on("end", () => {
      this.#ended = true
      this.#pump()
    })
    to.on("close", () => clearTimeout(this.#timer))
  }

  /** A toxic has come or gone. */
  changed(): void {
    for (const toxic of this.#toxics) {
      if (toxic.type === "resetPeer") this.#later(toxic.ms ?? 0, () => this.#reset())
      else if (toxic.type === "timeout" && toxic.ms !== undefined) this.#later(toxic.ms, () => this.#close())
    }
    this.#pump()
  }

  freeze(): void {
    this.#frozen = true
  }

  #later(ms: number, f: () => void): void {
    if (ms === 0) f()
    else setTimeout(f, ms).unref()
  }

  #reset(): void {
    this.#from.resetAndDestroy()
    this.#to.resetAndDestroy()
  }

  #close(): void {
    this.#from.destroy()
    this.#to.destroy()
  }

  #take(bytes: Buffer): void {
    let latency = 0
    let size = bytes.length
    let every = 0
    for (const toxic of this.#toxics) {
      if (toxic.type === "latency") latency += toxic.ms
      else if (toxic.type === "slicer") [size, every] = [toxic.bytes, toxic.every]
      else if (toxic.type === "bandwidth") every = Math.max(every, (size / toxic.bytesPerSecond) * 1000)
    }
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size)
      this.#free = Math.max(performance.now() + latency, this.#free + every)
      this.#queue.push({ bytes: piece, due: this.#free })
    }
    this.#queued += bytes.length
    if (this.#queued > most) this.#from.pause()
    this.#pump()
  }

  #pump(): void {
    clearTimeout(this.#timer)
    if (this.#frozen) return
    for (const toxic of this.#toxics) if (toxic.type === "timeout") return
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const wait = next.due - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#pump(), wait).unref()
        return
      }
      this.#queue.shift()
      this.#pass(next.bytes)
    }
    if (this.#ended) this.#end()
  }

  #pass(bytes: Buffer): void {
    this.#queued -= bytes.length
    if (this.#queued < most / 2) this.#from.resume()
    let room = Infinity
    for (const toxic of this.#toxics) {
      if (toxic.type === "limitData") room = Math.max(0, Math.min(room, toxic.bytes - this.#passed))
    }
    this.#passed += bytes.length
    if (!this.#to.destroyed) this.#to.write(bytes.length > room ? bytes.subarray(0, room) : bytes)
    if (bytes.length < room) return
    this.#queue = []
    this.#to.end(() => this.#close())
  }

  #end(): void {
    let ms = 0
    for (const toxic of this.#toxics) if (toxic.type === "slowClose") ms = Math.max(ms, toxic.ms)
    this.#later(ms, () => void this.#to.end())
  }
}

/** `at`: where to listen. @default a free port of 127.0.0.1 */
export const serveToxics = async (
  upstream: number,
  at: { readonly host: string; readonly port: number } = { host: "127.0.0.1", port: 0 }
): Promise<ToxicProxy> => {
  const toxics = { downstream: new Set<Toxic>(), upstream: new Set<Toxic>() }
  const pipes = new Set<Pipe>()
  const open = new Set<net.Socket>()
  let connections = 0
  let { port } = at

  const onSocket = (client: net.Socket): void => {
    connections++
    const server = net.connect({ port: upstream, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
    const both = [new Pipe(client, server, toxics.upstream), new Pipe(server, client, toxics.downstream)]
    for (const pipe of both) pipes.add(pipe)
    open.add(client)
    client.setNoDelay(true)
    for (const [one, other] of [
      [client, server],
      [server, client]
    ] as const) {
      // Node makes an end of a reset, unless it is passed on.
      one.on("error", () => other.resetAndDestroy())
      one.on("close", () => {
        open.delete(client)
        for (const pipe of both) pipes.delete(pipe)
        if (other.writableEnded) other.destroySoon()
        else other.destroy()
      })
    }
    for (const pipe of both) pipe.changed()
  }

  let server: net.Server
  const up = async (): Promise<void> => {
    server = net.createServer({ allowHalfOpen: true }, onSocket)
    await new Promise<void>((resolve) => server.listen(port, at.host, resolve))
    const address = server.address()
    if (typeof address === "object" && address !== null) port = address.port
  }
  const down = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of open) socket.resetAndDestroy()
    })
  const changed = (): void => {
    for (const pipe of pipes) pipe.changed()
  }
  await up()
  return {
    port,
    get connections() {
      return connections
    },
    get open() {
      return open.size
    },
    add: (toxic, direction = "downstream") => {
      toxics[direction].add(toxic)
      changed()
    },
    clear: () => {
      toxics.downstream.clear()
      toxics.upstream.clear()
      changed()
    },
    freeze: () => {
      for (const pipe of pipes) pipe.freeze()
    },
    down,
    up,
    close: down
  }
}
