/** Four backends behind a TCP balancer, two of them dead: they answer 503 at once, on connections that they keep. */
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import { expect, test } from "vitest"
import type { WirePool } from "../../src/internal/http/types.ts"
import { ask, pool, readAll, serveTcp, sleep, until } from "./harness.ts"

type Protocol = "HTTP/1.1" | "HTTP/2"

/** Passes each connection to the next port. */
const serveRoundRobin = (ports: ReadonlyArray<number>) => {
  let next = 0
  return serveTcp(
    net.createServer((socket) => {
      const to = net.connect(ports[next++ % ports.length] ?? 0, "127.0.0.1")
      socket.on("error", () => to.destroy()).on("close", () => to.destroy())
      to.on("error", () => socket.destroy()).on("close", () => socket.destroy())
      socket.pipe(to).pipe(socket)
    })
  )
}

interface Answer {
  statusCode: number
  readonly end: (text: string) => unknown
}

const serveBackends = async (protocol: Protocol, isDead: (backend: number) => boolean) => {
  const backends = await Promise.all(
    [0, 1, 2, 3].map((backend) => {
      const answer = (_: unknown, response: Answer) => {
        if (!isDead(backend)) return void setTimeout(() => response.end("ok"), 20)
        response.statusCode = 503
        response.end("down")
      }
      return serveTcp(
        protocol === "HTTP/2"
          ? http2.createServer(answer as never)
          : http.createServer({ keepAliveTimeout: 60_000 }, answer as never)
      )
    })
  )
  return serveRoundRobin(backends.map(({ port }) => port))
}

const statusOf = async (it: WirePool, about: object): Promise<number> => {
  const { body, status } = await ask(it, { about: about as never })
  await readAll(body)
  return status
}

/** The share of requests that are answered, each with two retries. */
const answered = async (
  requests: number,
  atOnce: number,
  send: (about: object) => Promise<number>
): Promise<number> => {
  let left = requests
  let good = 0
  const agents = Array.from({ length: atOnce }, async () => {
    while (left-- > 0) {
      const about = { model: "", asksForEvents: () => false }
      let status = 0
      for (let attempt = 0; attempt < 3 && status !== 200; attempt++) status = await send(about)
      if (status === 200) good++
    }
  })
  await Promise.all(agents)
  return good / requests
}

const once = (origin: string, protocol: Protocol) => async (about: object) => {
  const it = pool(origin, { http2: protocol === "HTTP/2" ? "prior-knowledge" : false })
  const status = await statusOf(it, about)
  await it.close(1_000)
  return status
}

for (const protocol of ["HTTP/1.1", "HTTP/2"] as const) {
  const http2 = protocol === "HTTP/2" ? ("prior-knowledge" as const) : false

  test(`${protocol}: two dead backends of four cost no more answers than they cost a client that keeps no connection`, async () => {
    const { origin } = await serveBackends(protocol, (backend) => backend % 2 === 1)
    const plain = await answered(200, 20, once(origin, protocol))
    const it = pool(origin, { http2, maxConnections: 8 })
    const first = await answered(400, 20, (about) => statusOf(it, about))
    const later = await answered(400, 20, (about) => statusOf(it, about))
    // Four standard deviations of the difference: each row is answered with p = 0.875, 200 of the one, 400 of the other.
    expect(first).toBeGreaterThanOrEqual(plain - 0.12)
    expect(later).toBeGreaterThanOrEqual(0.99)
  })

  test(`${protocol}: one request after the other gets away from a dead backend`, async () => {
    const { origin } = await serveBackends(protocol, (backend) => backend % 2 === 0)
    const it = pool(origin, { http2 })
    const statuses: Array<number> = []
    for (let i = 0; i < 10; i++) {
      statuses.push(await statusOf(it, {}))
      await until(() => it.stats().inFlight === 0)
      await sleep(20)
    }
    expect(statuses).toEqual([503, 503, 503, 200, 200, 200, 200, 200, 200, 200])
    expect(it.stats().opened).toBe(2)
  })

  test(`${protocol}: a provider that fails as a whole, or at random, causes no storm of handshakes`, async () => {
    let draws = 0
    let isDown = false
    const { origin } = await serveBackends(protocol, () => isDown || (++draws * 0.618_034) % 1 < 0.5)
    const it = pool(origin, { http2, maxConnections: 8 })
    const began = performance.now()
    await answered(400, 20, (about) => statusOf(it, about))
    const mixed = it.stats().opened
    expect(mixed).toBeLessThan(8 + 10 + ((performance.now() - began) / 1_000) * 11 + 2)
    isDown = true
    const from = performance.now()
    await answered(400, 20, (about) => statusOf(it, about))
    // The saved-up sessions, eight at once, and one a second.
    expect(it.stats().opened - mixed).toBeLessThan(8 + 10 + ((performance.now() - from) / 1_000) * 2 + 2)
  })
}
