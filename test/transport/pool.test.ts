import * as net from "node:net"
import { expect, test } from "vitest"
import {
  ask,
  failure,
  pool,
  readAll,
  serveH1,
  serveH2,
  serveTcp,
  serveTls,
  sleep,
  text,
  until,
  verdict
} from "./harness.ts"

const echo = (request: NodeJS.ReadableStream, response: NodeJS.WritableStream) => void request.pipe(response)

const streamed = (chunks: ReadonlyArray<string>, length?: number) => ({
  length,
  open: async function* () {
    for (const chunk of chunks) {
      await sleep(1)
      yield Buffer.from(chunk)
    }
  }
})

for (const [name, serve] of [
  ["HTTP/1.1", serveH1],
  ["HTTP/1.1 over TLS", serveTls]
] as const) {
  test(`${name}: 500 requests on a bound of 8 are all answered, on 8 sockets, in their order`, async () => {
    const order: Array<number> = []
    const server = await serve((request, response) => {
      order.push(Number(request.url?.slice(1)))
      request.pipe(response)
    })
    const it = pool(server.origin, { maxConnections: 8 })
    const bodies = await Promise.all(
      Array.from({ length: 500 }, (_, i) => text(it, { method: "POST", path: `/${i}`, body: `body ${i}` }))
    )
    expect(bodies).toEqual(bodies.map((_, i) => `body ${i}`))
    expect(server.peak).toBeLessThanOrEqual(8)
    expect(server.total).toBeLessThanOrEqual(8)
    // The server sees 8 sockets at once, so each may be a few places off, and none overtakes by more.
    expect(order.every((at, i) => Math.abs(at - i) < 24)).toBe(true)
    expect(it.stats()).toMatchObject({ inFlight: 0, queued: 0, protocol: "http/1.1" })
  })
}

test("one request after the other uses one socket", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const it = pool(server.origin)
  for (let i = 0; i < 20; i++) expect(await text(it)).toBe("ok")
  expect(server.total).toBe(1)
  expect(it.stats()).toEqual({ sockets: 1, inFlight: 0, queued: 0, opened: 1, openCircuits: 0, protocol: "http/1.1" })
})

test("an idle socket closes after keepAlive, and by the server's hint before that", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const it = pool(server.origin, { keepAlive: 100 })
  await text(it)
  await until(() => server.open === 0 && it.stats().sockets === 0)
  const hinted = await serveTcp(
    net.createServer((socket) =>
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok"))
    )
  )
  const other = pool(hinted.origin)
  // A hint of 2 s less the safety margin leaves nothing.
  await text(other)
  await until(() => hinted.open === 0)
})

/** Answers with these headers, and closes no connection. */
const serveKept = (headers: string) =>
  serveTcp(
    net.createServer((socket) => {
      socket.on("data", () => socket.write(`HTTP/1.1 200 OK\r\n${headers}Content-Length: 2\r\n\r\nok`))
    })
  )

test("HTTP/1.1: an idle connection closes after 4 s, before servers in Python do, unless its server allows more", async () => {
  const [plain, short, long, longer] = await Promise.all([
    serveKept(""),
    serveKept("Keep-Alive: timeout=3\r\n"),
    serveKept("Keep-Alive: timeout=7\r\n"),
    serveKept("Keep-Alive: timeout=600\r\n")
  ])
  const began = performance.now()
  const closed = async (server: { readonly open: number }) => {
    await until(() => server.open === 0)
    return (performance.now() - began) / 1_000
  }
  const capped = pool(longer.origin, { keepAlive: 5_000 })
  await Promise.all([text(capped), ...[plain, short, long].map((server) => text(pool(server.origin)))])
  const took = await Promise.all([plain, short, long, longer].map(closed))
  for (const [at, seconds] of [4, 2, 6, 5].entries()) {
    expect(took[at]).toBeGreaterThanOrEqual(seconds - 0.05)
    expect(took[at]).toBeLessThan(seconds + 0.95)
  }
})

test("HTTP/1.1: a connection that no request was sent on closes when it has been idle for long enough", async () => {
  const held: Array<() => void> = []
  const server = await serveH1((_, response) => void held.push(() => response.end("ok")))
  const it = pool(server.origin, { keepAlive: 300, http2: false })
  const abort = new AbortController()
  const first = text(it)
  const second = failure(ask(it, { signal: abort.signal }))
  abort.abort()
  await second
  await until(() => server.total === 2)
  await until(() => server.open === 1 && it.stats().sockets === 1)
  held.pop()?.()
  expect(await first).toBe("ok")
})

test("a server that closes after each response is served by a socket a request", async () => {
  const server = await serveH1((_, response) => response.setHeader("connection", "close").end("ok"))
  const it = pool(server.origin, { maxConnections: 4 })
  const all = await Promise.all(Array.from({ length: 40 }, () => text(it)))
  expect(all).toEqual(all.map(() => "ok"))
  expect(server.peak).toBeLessThanOrEqual(4)
})

test("an old socket takes no more requests, but finishes what is on it", async () => {
  const server = await serveH1(async (_, response) => {
    response.write("begun, ")
    await sleep(400)
    response.end("done")
  })
  const it = pool(server.origin, { maxConnectionAge: 100 })
  expect(await text(it)).toBe("begun, done")
  await until(() => it.stats().sockets === 0)
  expect(await text(it)).toBe("begun, done")
  expect(server.total).toBe(2)
})

test("repeated headers are repeated, and names are in lower case", async () => {
  const server = await serveH1((_, response) => {
    response.setHeader("Set-Cookie", ["a=1", "b=2"]).setHeader("X-Request-Id", "7").end()
  })
  const { headers, status } = await ask(pool(server.origin))
  expect(status).toBe(200)
  expect(headers.filter(([name]) => name === "set-cookie")).toEqual([
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"]
  ])
  expect(headers).toContainEqual(["x-request-id", "7"])
})

test("HTTP/2: 500 requests where the server allows 25 streams", async () => {
  const server = await serveH2((request, response) => request.pipe(response), {
    settings: { maxConcurrentStreams: 25 }
  })
  const it = pool(server.origin, { maxConnections: 8 })
  const bodies = await Promise.all(
    Array.from({ length: 500 }, (_, i) => text(it, { method: "POST", path: `/${i}`, body: `body ${i}` }))
  )
  expect(bodies).toEqual(bodies.map((_, i) => `body ${i}`))
  expect(server.peak).toBeLessThanOrEqual(8)
  expect(it.stats().protocol).toBe("h2")
})

test(
  "HTTP/2: 2,000 requests at once need 4 sockets where the server allows 600 streams",
  { timeout: 180_000 },
  async () => {
    const server = await serveH2((_, response) => response.end("ok"), { settings: { maxConcurrentStreams: 600 } })
    const it = pool(server.origin, { maxConnections: 64 })
    const all = await Promise.all(
      Array.from({ length: 2_000 }, () => text(it, { timeouts: { headers: 120_000, body: 120_000 } }))
    )
    expect(all.every((body) => body === "ok")).toBe(true)
    expect(server.total).toBeLessThanOrEqual(4)
  }
)

for (const [name, serve] of [
  ["HTTP/1.1", serveTls],
  ["HTTP/2", (handler: (q: never, s: never) => void) => serveH2(handler as Parameters<typeof serveH2>[0])]
] as const) {
  test(`${name}: a streamed request body arrives, with and without its length`, async () => {
    const server = await serve(echo)
    const it = pool(server.origin)
    expect(await text(it, { method: "POST", body: streamed(["a", "bc", "", "def"]) })).toBe("abcdef")
    expect(await text(it, { method: "POST", body: streamed(["a", "bc", "def"], 6) })).toBe("abcdef")
  })

  test(`${name}: a streamed request body of many MB is not held in memory`, async () => {
    const server = await serve(((request: NodeJS.ReadableStream, response: NodeJS.WritableStream) => {
      request.pause()
      setTimeout(() => request.resume(), 300)
      request.on("end", () => response.end("got it"))
    }) as typeof echo)
    let yielded = 0
    const chunk = Buffer.alloc(64 * 1024)
    const body = {
      length: undefined,
      open: async function* () {
        for (let i = 0; i < 320; i++) {
          yielded++
          yield chunk
        }
      }
    }
    const answer = text(pool(server.origin), { method: "POST", body })
    await sleep(200)
    // 20 MB wait; the rest of this is in the buffers of both sides and of the kernel between them.
    expect(yielded).toBeLessThan(200)
    expect(await answer).toBe("got it")
    expect(yielded).toBe(320)
  })

  test(`${name}: an error in a streamed request body fails the request, and no other`, async () => {
    const server = await serve(echo)
    const it = pool(server.origin)
    const cause = new Error("disk on fire")
    const body = {
      length: undefined,
      open: async function* () {
        yield Buffer.from("half")
        await sleep(10)
        throw cause
      }
    }
    const [error, other] = await Promise.all([
      // The echo answers before the body is finished, so it may be the response that fails.
      failure(text(it, { method: "POST", body })),
      text(it, { method: "POST", body: "whole" })
    ])
    expect(error.reason).toBe("Aborted")
    expect(error.cause).toBe(cause)
    expect(other).toBe("whole")
    expect(await text(it, { method: "POST", body: "again" })).toBe("again")
  })

  test(`${name}: a body that differs from its announced length fails the request`, async () => {
    const server = await serve(((request: NodeJS.ReadableStream, response: NodeJS.WritableStream) => {
      request.on("end", () => response.end("ok"))
      request.resume()
    }) as typeof echo)
    const it = pool(server.origin)
    for (const length of [5, 7]) {
      const error = await failure(text(it, { method: "POST", body: streamed(["abc", "def"], length) }))
      expect(error.reason).not.toBe("Timeout")
    }
    expect(await text(it, { method: "POST", body: streamed(["abc", "def"], 6) })).toBe("ok")
  })

  test(`${name}: a response that comes before the request's body has ended is whole`, async () => {
    const server = await serve(((_: NodeJS.ReadableStream, response: NodeJS.WritableStream) => {
      response.end("enough")
    }) as typeof echo)
    const it = pool(server.origin)
    let stopped = false
    const body = {
      length: undefined,
      open: async function* () {
        try {
          for (;;) {
            yield Buffer.from("more ")
            await sleep(5)
          }
        } finally {
          stopped = true
        }
      }
    }
    expect(await text(it, { method: "POST", body })).toBe("enough")
    await until(() => stopped && it.stats().inFlight === 0)
    expect(await text(it)).toBe("enough")
  })
}

test("an invalid header fails its own request, unsent", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const it = pool(server.origin)
  expect(await verdict(ask(it, { headers: { "x-bad": "a\nb" } }))).toBe("Malformed, no")
  expect(await text(it)).toBe("ok")
  const second = await serveH2((_, response) => response.end("ok"))
  const other = pool(second.origin)
  expect(await verdict(ask(other, { headers: { "x-bad": "a\nb" } }))).toBe("Malformed, no")
  expect(await text(other)).toBe("ok")
})

test("without a listening server all waiting requests fail as not processed", async () => {
  const server = await serveTcp(net.createServer())
  const dead = pool("http://127.0.0.1:1", { maxConnections: 4 })
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => verdict(ask(dead))))
  expect(new Set(verdicts)).toEqual(new Set(["Connection, no"]))
  expect(dead.stats()).toMatchObject({ queued: 0, inFlight: 0 })
  await until(() => dead.stats().sockets === 0)
  expect(server.total).toBe(0)
})

test("close fails waiting requests, lets requests in flight finish, and leaves no socket", async () => {
  const server = await serveH1(async (_, response) => {
    await sleep(100)
    response.end("ok")
  })
  const it = pool(server.origin, { maxConnections: 2 })
  const all = Array.from({ length: 5 }, () => text(it))
  const outcomes = Promise.allSettled(all)
  await until(() => it.stats().inFlight === 2)
  const closing = it.close(5_000)
  expect(await verdict(ask(it))).toBe("Closed, no")
  await closing
  expect(it.stats()).toMatchObject({ sockets: 0, inFlight: 0, queued: 0 })
  expect((await outcomes).map((one) => (one.status === "fulfilled" ? one.value : one.reason.reason))).toEqual([
    "ok",
    "ok",
    "Closed",
    "Closed",
    "Closed"
  ])
  await until(() => server.open === 0)
})

for (const [name, serve] of [
  ["HTTP/1.1", serveTls],
  ["HTTP/2", serveH2]
] as const) {
  test(`${name}: close cuts requests still in flight when the drain is over`, async () => {
    const server = await serve(((_: unknown, response: NodeJS.WritableStream) => void response.write("half")) as never)
    const it = pool(server.origin)
    const response = await ask(it)
    const rest = failure(readAll(response.body))
    await it.close(50)
    expect((await rest).reason).toBe("Closed")
    expect(it.stats()).toMatchObject({ sockets: 0, inFlight: 0 })
    await until(() => server.open === 0)
  })
}
