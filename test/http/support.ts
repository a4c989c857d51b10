import { once } from "node:events"
import * as http from "node:http"
import type { AddressInfo, Socket } from "node:net"

import { makeFetch, type FetchOptions } from "../../src/internal/http/makeFetch.ts"
import { makePool } from "../../src/internal/transport/pool.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import type { WirePool } from "../../src/internal/http/types.ts"

export interface Site {
  readonly origin: string
  readonly fetch: typeof fetch
  readonly pool: WirePool
  readonly server: http.Server
  /** Exchanges that have released everything. */
  readonly ended: () => number
  readonly inFlight: () => number
  /** Requests whose connection the client closed before the answer was complete. */
  readonly aborts: () => number
}

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void

/** Runs `use` against a real server on loopback through a fetch over one real pool; closes both. */
export const withSite = async <A>(
  handler: Handler,
  use: (site: Site) => Promise<A>,
  options: FetchOptions = {}
): Promise<A> => {
  let aborts = 0
  const sockets = new Set<Socket>()
  const server = http.createServer((request, response) => {
    response.on("close", () => {
      if (!response.writableFinished) aborts++
    })
    handler(request, response)
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pool = makePool({ origin, maxConnections: 8, budget: new SocketBudget(64) })
  let ended = 0
  const fetch = makeFetch(() => pool, {
    ...options,
    onEnd: () => {
      ended++
      options.onEnd?.()
    }
  })
  try {
    return await use({
      origin,
      fetch,
      pool,
      server,
      ended: () => ended,
      inFlight: () => pool.stats().inFlight,
      aborts: () => aborts
    })
  } finally {
    await pool.close(0)
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

export const readAll = async (request: http.IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export const json = (response: http.ServerResponse, value: unknown, status = 200): void => {
  const body = JSON.stringify(value)
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** Waits until `condition` holds; fails after half a minute, saying what it waited for. */
export const eventually = async (what: string, condition: () => boolean): Promise<void> => {
  const until = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > until) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const failureOf = async (promise: PromiseLike<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error("it was expected to fail")
}
