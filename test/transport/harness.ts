/** Real servers and pools that end with their test, and the few words that the tests of the engine share. */
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import type * as net from "node:net"
import { afterEach } from "vitest"
import { Deadline } from "../../src/internal/request/deadline.ts"
import { live } from "../../src/internal/util/ticker.ts"
import { makePool } from "../../src/internal/transport/pool.ts"
import type { ConnectionPoolOptions } from "../../src/internal/transport/options.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import type { WireBody, WirePool, WireRequest, WireResponse } from "../../src/internal/http/types.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { type FrameScript, type FrameServer, serveFrames } from "../support/frames.ts"

const ends: Array<() => unknown> = []

/** Runs when the test is over, the last first. */
export const defer = (f: () => unknown): void => void ends.push(f)

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until `condition` holds, for 30 s at most. */
export const until = async (condition: () => boolean): Promise<void> => {
  const end = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it never came to hold that ${condition}`)
    await sleep(5)
  }
}

export interface Served {
  readonly origin: string
  readonly port: number
  /** Connections now, at most at once, and in all. */
  readonly open: number
  readonly peak: number
  readonly total: number
}

const listen = async (server: net.Server, scheme: string, secure: boolean): Promise<Served> => {
  const sockets = new Set<net.Socket>()
  let peak = 0
  let total = 0
  server.on(secure ? "secureConnection" : "connection", (socket: net.Socket) => {
    sockets.add(socket)
    total++
    peak = Math.max(peak, sockets.size)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  defer(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    origin: `${scheme}://127.0.0.1:${port}`,
    port,
    get open() {
      return sockets.size
    },
    get peak() {
      return peak
    },
    get total() {
      return total
    }
  }
}

export const serveTcp = (server: net.Server): Promise<Served> => listen(server, "http", false)

export const serveH1 = (handler: http.RequestListener): Promise<Served> =>
  listen(http.createServer({ keepAliveTimeout: 60_000 }, handler), "http", false)

const keys = { key: certificate.key, cert: certificate.cert }

export const serveTls = (handler: http.RequestListener, options: https.ServerOptions = {}): Promise<Served> =>
  listen(https.createServer({ ...keys, keepAliveTimeout: 60_000, ...options }, handler), "https", true)

type H2Handler = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void

/**
 * Limits that Node's server would set its clients otherwise are out of the way. An answer to a request that nobody reads
 * it may cut (24.21 at least): its RST_STREAM overtakes the answer's end while the session writes.
 */
export const serveH2 = (handler: H2Handler, options: http2.SecureServerOptions = {}): Promise<Served> => {
  const all: http2.SecureServerOptions = { ...keys, allowHTTP1: true, maxSessionMemory: 1000, ...options }
  const server = http2.createSecureServer(all, (request, response) => {
    if (request.method === "GET") request.resume()
    handler(request, response)
  })
  return listen(server, "https", true)
}

export const serveScript = async (script: FrameScript): Promise<FrameServer> => {
  const server = await serveFrames(script)
  defer(server.close)
  return server
}

export const pool = (origin: string, options: Partial<ConnectionPoolOptions> = {}): WirePool => {
  // Circuits have tests of their own: here each request meets its fault.
  const made = makePool({
    origin,
    budget: new SocketBudget(500),
    ca: certificate.ca,
    circuitFailures: 0,
    ...options
  })
  defer(() => made.close(0))
  return made
}

/** A pool that speaks HTTP/2 to a server of frames. */
export const pool2 = (origin: string, options: Partial<ConnectionPoolOptions> = {}): WirePool =>
  pool(origin, { http2: "prior-knowledge", ...options })

export const timeouts = { headers: 50_000, body: 50_000 }

/** A deadline that runs from now on. */
export const within = (ms: number): Deadline => new Deadline(ms, live)

export const ask = (from: WirePool, request: Partial<WireRequest> = {}): Promise<WireResponse> =>
  from.request({ method: "GET", path: "/", headers: {}, body: undefined, signal: undefined, timeouts, ...request })

export const readAll = async (body: WireBody): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

export const text = async (from: WirePool, request: Partial<WireRequest> = {}): Promise<string> =>
  readAll((await ask(from, request)).body)

/** The WireError that it fails with. */
export const failure = async (promise: Promise<unknown>): Promise<WireError> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof WireError) return error
    throw error
  }
  throw new Error("it should have failed")
}

/** Reason of a failure, and whether the request was processed. */
export const verdict = async (promise: Promise<unknown>): Promise<string> => {
  const error = await failure(promise)
  return `${error.reason}, ${error.processed}`
}

/** The answer, or the failure's verdict. */
export const fate = (answer: Promise<string>): Promise<string> =>
  answer.catch((error: WireError) => `${error.reason}, ${error.processed}`)

export const gc = (): void => {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc")
  globalThis.gc()
}
