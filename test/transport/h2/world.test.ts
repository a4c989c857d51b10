/** HTTP/2 as it is outside of loopback: far away, read slowly, for long, and of servers that change their mind. */
import * as http2 from "node:http2"
import * as https from "node:https"
import { expect, test } from "vitest"
import { certificate } from "../../../src/internal/sandbox/certificate.ts"
import { drip, storm } from "../../support/storm.ts"
import { serveToxics } from "../../support/toxics.ts"
import {
  ask,
  defer,
  failure,
  gc,
  pool,
  pool2,
  readAll,
  serveH2,
  serveScript,
  sleep,
  text,
  timeouts,
  until,
  verdict
} from "../harness.ts"

const { cert, key } = certificate

test(
  "HTTP/2: a storm of aborts fails no other request where a round trip takes 100 ms",
  { timeout: 180_000 },
  async () => {
    const server = await serveH2(drip as never, { settings: { maxConcurrentStreams: 50 } })
    const far = await serveToxics(server.port)
    defer(far.close)
    far.add({ type: "latency", ms: 50 }, "downstream")
    far.add({ type: "latency", ms: 50 }, "upstream")
    const it = pool(`https://127.0.0.1:${far.port}`)
    const { aborts, lost, requests } = await storm(it, 600)
    expect(lost).toEqual([])
    expect(requests - aborts).toBeGreaterThan(100)
    expect(it.stats().protocol).toBe("h2")
  }
)

test("HTTP/2: slow readers hold back their own servers, neither memory nor neighbours", async () => {
  const readers = 120
  const wanted = 4 * 1024 * 1024
  const chunk = Buffer.alloc(16 * 1024)
  let written = 0
  const server = await serveH2((request, response) => {
    if (request.url === "/small") return void response.end("ok")
    let left = wanted / chunk.length
    const more = (): void => {
      while (left-- > 0) {
        written += chunk.length
        if (!response.write(chunk)) return void response.once("drain", more)
      }
      response.end()
    }
    more()
  })
  const it = pool(server.origin)
  const slow = await Promise.all(Array.from({ length: readers }, () => ask(it)))
  for (const { body } of slow) await body.read()
  await until(() => written > 16 * 1024 * 1024)
  let before = -1
  while (before !== written) {
    before = written
    await sleep(200)
  }
  // 256 KiB are read ahead, the window is as much again, and streams buffer a little; together that is more than the
  // window of the session, which must not stop the others.
  expect(written).toBeLessThan(readers * 768 * 1024)
  expect(await text(it, { path: "/small" })).toBe("ok")
  expect(server.total).toBe(1)
  for (const { body } of slow) body.cancel()
})

test("HTTP/2: 1xx in plenty neither answer nor restart the headers' time", async () => {
  const server = await serveScript({
    onRequest: (to, id) => {
      const early = setInterval(() => {
        for (let i = 0; i < 100; i++) to.headers(id, { status: 103 })
      }, 20)
      defer(() => clearInterval(early))
      if (to.requests > 1) return
      setTimeout(() => {
        clearInterval(early)
        to.respond(id)
      }, 100)
    }
  })
  const it = pool2(server.origin)
  expect(await text(it)).toBe("ok")
  expect(await verdict(ask(it, { timeouts: { ...timeouts, headers: 150 } }))).toBe("Timeout, maybe")
})

const newer = () => http2.createSecureServer({ cert, key }, (request, response) => response.end(request.httpVersion))
const older = () => https.createServer({ cert, key }, (request, response) => response.end(request.httpVersion))

test("HTTP/2: an origin that ceases to speak it is followed to HTTP/1.1, and back", async () => {
  const sockets = new Set<{ readonly destroy: () => unknown }>()
  const serve = (server: https.Server | http2.Http2SecureServer, port: number) =>
    new Promise<{ readonly port: number; readonly stop: () => Promise<void> }>((resolve) => {
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("error", () => undefined)
      })
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        const stop = () =>
          new Promise<void>((stopped) => {
            server.close(() => stopped())
            for (const socket of sockets) socket.destroy()
          })
        resolve({ port: typeof address === "object" && address !== null ? address.port : 0, stop })
      })
    })
  let server = await serve(newer(), 0)
  defer(() => server.stop())
  const { port } = server
  const it = pool(`https://127.0.0.1:${port}`)
  const versions: Array<string> = []
  for (const next of [older, newer, undefined]) {
    const all = await Promise.all(Array.from({ length: 20 }, () => text(it)))
    expect(new Set(all).size).toBe(1)
    versions.push(`${all[0]} ${it.stats().protocol}`)
    if (next === undefined) break
    await server.stop()
    await until(() => it.stats().sockets === 0)
    server = await serve(next(), port)
  }
  expect(versions).toEqual(["2.0 h2", "1.1 http/1.1", "2.0 h2"])
})

test("HTTP/2: the heap does not grow with the requests that have been", { timeout: 180_000 }, async () => {
  const server = await serveH2((request, response) => {
    request.on("error", () => undefined)
    response.on("error", () => undefined)
    request.resume()
    if (request.url === "/never") response.write("half")
    else response.end("x".repeat(2_000))
  })
  const it = pool(server.origin)
  const one = async (i: number): Promise<void> => {
    // So few aborts that one session does for all: what it kept would go with it.
    if (i % 50 > 0) return void (await text(it, { method: "POST", body: "y".repeat(500) }))
    const abort = new AbortController()
    const { body } = await ask(it, { path: "/never", signal: abort.signal })
    const cut = failure(readAll(body))
    abort.abort()
    await cut
  }
  const round = async (): Promise<number> => {
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 100 }, (_, at) => one(at)))
    await until(() => it.stats().inFlight === 0)
    await sleep(50)
    gc()
    return process.memoryUsage().heapUsed
  }
  await round()
  const first = await round()
  await round()
  const last = await round()
  // 2,000 requests lie between them, and one that is kept is more than 2 KB.
  expect(last - first).toBeLessThan(2_000_000)
})
