import { expect, test } from "vitest"
import { ask, failure, pool, serveH2, serveScript, serveTls, text, until } from "./harness.ts"

interface Answer {
  readonly end: (text: string) => unknown
}
type Handler = (request: { readonly url?: string }, response: Answer) => void

const protocols = [
  ["HTTP/1.1", (handler: Handler) => serveTls(handler as Parameters<typeof serveTls>[0])],
  [
    "HTTP/2",
    (handler: Handler) =>
      serveH2(handler as unknown as Parameters<typeof serveH2>[0], { settings: { maxConcurrentStreams: 1 } })
  ]
] as const

/** Answers one request at a time, on command. */
const held = async (serve: (handler: Handler) => Promise<{ readonly origin: string }>) => {
  const seen: Array<string | undefined> = []
  const waiting: Array<Answer> = []
  const { origin } = await serve((request, response) => {
    seen.push(request.url)
    waiting.push(response)
  })
  return {
    origin,
    seen,
    next: async () => {
      await until(() => waiting.length > 0)
      waiting.shift()?.end("ok")
    }
  }
}

const post = (path: string, body: string | Uint8Array) => ({ method: "POST", path, body })

for (const [name, serve] of protocols) {
  const one = { maxConnections: 1, http2: name === "HTTP/2" }

  test(`${name}: a full queue refuses new requests, at once and unsent, and serves waiting ones, in order`, async () => {
    const server = await held(serve)
    const it = pool(server.origin, { ...one, maxQueue: 3 })
    const first = text(it, { path: "/0" })
    await until(() => server.seen.length === 1)
    const waiting = ["/1", "/2", "/3"].map((path) => text(it, { path }))
    const refused = await Promise.all(["/4", "/5"].map((path) => failure(ask(it, { path }))))
    for (const error of refused) {
      expect([error.reason, error.processed]).toEqual(["Capacity", "no"])
      expect(error.message).toContain("3 requests wait for a socket")
      expect(error.message).toContain("transport.maxQueue (3)")
    }
    expect(it.stats()).toMatchObject({ sockets: 1, inFlight: 1, queued: 3 })
    await server.next()
    await until(() => server.seen.length === 2)
    // One has gone, so there is room for one.
    const late = text(it, { path: "/6" })
    expect((await failure(ask(it, { path: "/7" }))).reason).toBe("Capacity")
    for (let i = 0; i < 4; i++) await server.next()
    expect(await Promise.all([first, ...waiting, late])).toEqual(Array.from({ length: 5 }, () => "ok"))
    expect(server.seen).toEqual(["/0", "/1", "/2", "/3", "/6"])
  })

  test(`${name}: an aborted request makes room in the queue`, async () => {
    const server = await held(serve)
    const it = pool(server.origin, { ...one, maxQueue: 2, maxQueueBytes: 20 })
    const first = text(it, { path: "/0" })
    await until(() => server.seen.length === 1)
    const abort = new AbortController()
    const gone = failure(ask(it, { ...post("/1", "x".repeat(18)), signal: abort.signal }))
    const second = text(it, post("/2", "xx"))
    expect((await failure(ask(it, { path: "/3" }))).message).toContain("maxQueue (2)")
    abort.abort()
    expect((await gone).reason).toBe("Aborted")
    const third = text(it, post("/4", "y".repeat(18)))
    for (let i = 0; i < 3; i++) await server.next()
    expect(await Promise.all([first, second, third])).toEqual(["ok", "ok", "ok"])
    expect(server.seen).toEqual(["/0", "/2", "/4"])
  })

  test(`${name}: bodies of waiting requests are counted, of every kind, and a single one may be of any size`, async () => {
    const server = await held(serve)
    const it = pool(server.origin, { ...one, maxQueueBytes: 100 })
    const first = text(it, { path: "/0" })
    await until(() => server.seen.length === 1)
    const huge = text(it, post("/1", new Uint8Array(10_000)))
    const error = await failure(ask(it, post("/2", "x")))
    expect([error.reason, error.processed]).toEqual(["Capacity", "no"])
    expect(error.message).toContain("1 requests with 10000 bytes wait")
    expect(error.message).toContain("transport.maxQueueBytes (100)")
    const none = text(it, { path: "/3" })
    await server.next()
    await until(() => server.seen.length === 2)
    // The huge one has gone: 60 and 40 bytes are as many as may wait.
    const text60 = text(it, post("/4", "x".repeat(60)))
    const bytes40 = text(it, post("/5", new Uint8Array(40)))
    expect((await failure(ask(it, post("/6", "x")))).message).toContain("3 requests with 100 bytes wait")
    for (let i = 0; i < 4; i++) await server.next()
    expect(await Promise.all([first, huge, none, text60, bytes40])).toEqual(Array.from({ length: 5 }, () => "ok"))
    // Nothing is counted of those who have gone.
    const again = [text(it, { path: "/7" }), text(it, post("/8", "x".repeat(100)))]
    await server.next()
    await server.next()
    expect(await Promise.all(again)).toEqual(["ok", "ok"])
  })
}

test("a request refused unread goes back to its old place, although the queue is full", async () => {
  const server = await serveScript({
    limit: 1,
    onRequest: (to, id) => (to.index === 1 && to.requests === 1 ? to.reset(id, 7) : to.respond(id))
  })
  const it = pool(server.origin, { http2: "prior-knowledge", maxConnections: 1, maxQueue: 3, maxQueueBytes: 3 })
  const waiting = [text(it, post("/0", "abc")), text(it, { path: "/1" }), text(it, { path: "/2" })]
  expect((await failure(ask(it, { path: "/3" }))).reason).toBe("Capacity")
  expect(await Promise.all(waiting)).toEqual(["ok", "ok", "ok"])
  expect([server.requests, it.stats().queued, it.stats().inFlight]).toEqual([4, 0, 0])
  // Bytes counted twice are subtracted twice, and no more than that.
  const again = [text(it, { path: "/4" }), text(it, post("/5", "abc"))]
  expect((await failure(ask(it, post("/6", "x")))).message).toContain("requests with 3 bytes wait")
  expect(await Promise.all(again)).toEqual(["ok", "ok"])
})
