/** Pools whose requests go through a runtime's own fetch: here Node's, which by itself bounds nothing. */
import * as net from "node:net"
import * as zlib from "node:zlib"
import { assert, describe, it } from "vitest"
import { anyRuntime } from "../../../src/internal/transport/runtime/runtime.ts"
import { SocketBudget } from "../../../src/internal/transport/sockets.ts"
import {
  ask,
  failure,
  gc,
  pool,
  readAll,
  serveH1,
  serveTcp,
  text,
  timeouts,
  until,
  verdict,
  within
} from "../harness.ts"

const runtime = anyRuntime("Test 1.0")

const over = { runtime, maxConnections: 1 }

/** Answers requests in the order of `release`, and counts them. */
const serveHeld = async () => {
  const held: Array<() => void> = []
  const paths: Array<string> = []
  let open = 0
  let peak = 0
  let cut = 0
  const served = await serveH1((request, response) => {
    paths.push(request.url ?? "")
    peak = Math.max(peak, ++open)
    response.on("close", () => {
      open--
      if (!response.writableFinished) cut++
    })
    held.push(() => response.end(request.url))
  })
  return {
    origin: served.origin,
    paths,
    release: () => held.splice(0).forEach((answer) => answer()),
    open: () => open,
    peak: () => peak,
    cut: () => cut
  }
}

const bodyOf = (...chunks: ReadonlyArray<string>) => ({
  length: undefined as number | undefined,
  open: async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk)
  }
})

describe("a pool over a runtime's fetch", () => {
  it("has no more requests under way than its bound, and answers them all", async () => {
    const server = await serveHeld()
    const from = pool(server.origin, { runtime, maxConnections: 3 })
    const answers = Array.from({ length: 12 }, (_, i) => text(from, { path: `/${i}` }))
    for (let done = 0; done < 12; done += 3) {
      await until(() => server.open() === 3)
      assert.deepStrictEqual([from.stats().inFlight, from.stats().sockets, from.stats().queued], [3, 3, 9 - done])
      server.release()
      await until(() => server.paths.length === Math.min(12, done + 6))
    }
    assert.deepStrictEqual(
      await Promise.all(answers),
      Array.from({ length: 12 }, (_, i) => `/${i}`)
    )
    assert.strictEqual(server.peak(), 3)
  })

  it("takes turns between tenants", async () => {
    const server = await serveHeld()
    const from = pool(server.origin, over)
    const [one, other] = [{}, {}]
    const answers = [
      ...["/a1", "/a2", "/a3"].map((path) => text(from, { path, tenant: one })),
      text(from, { path: "/b1", tenant: other })
    ]
    for (let i = 1; i <= 4; i++) {
      await until(() => server.paths.length === i)
      server.release()
    }
    await Promise.all(answers)
    assert.deepStrictEqual(server.paths, ["/a1", "/b1", "/a2", "/a3"])
  })

  it("gives its idle places to another pool when the bound that they share is reached", async () => {
    const [busy, poor] = [
      await serveH1((_, response) => response.end("busy")),
      await serveH1((_, response) => response.end("poor"))
    ]
    const budget = new SocketBudget(2)
    const first = pool(busy.origin, { runtime, budget })
    const second = pool(poor.origin, { runtime, budget })
    await Promise.all([text(first), text(first)])
    assert.strictEqual(budget.held(), 2)
    assert.strictEqual(await text(second), "poor")
    assert.deepStrictEqual([first.stats().sockets, second.stats().sockets], [1, 1])
  })

  it("lets a place go that has been idle", async () => {
    const server = await serveH1((_, response) => response.end("ok"))
    const from = pool(server.origin, { ...over, keepAlive: 40 })
    await text(from)
    await until(() => from.stats().sockets === 0)
    assert.strictEqual(await text(from), "ok")
    assert.strictEqual(from.stats().opened, 2)
  })

  it("cancels the runtime's fetch when a request is aborted, wherever it is, and has its place back", async () => {
    const server = await serveHeld()
    const from = pool(server.origin, over)
    const [sent, queued] = [new AbortController(), new AbortController()]
    const first = verdict(ask(from, { signal: sent.signal }))
    const second = verdict(ask(from, { signal: queued.signal }))
    await until(() => server.open() === 1)
    queued.abort()
    assert.strictEqual(await second, "Aborted, no")
    sent.abort()
    assert.strictEqual(await first, "Aborted, maybe")
    await until(() => server.cut() === 1)
    const third = text(from, { path: "/3" })
    await until(() => server.open() === 1)
    server.release()
    assert.strictEqual(await third, "/3")
  })

  it("cancels a cancelled body, and an unreachable one", async () => {
    let closed = 0
    const server = await serveH1((_, response) => {
      response.write("begun")
      response.on("close", () => closed++)
    })
    const from = pool(server.origin, over)
    const { body } = await ask(from)
    assert.strictEqual(Buffer.from((await body.read())!).toString(), "begun")
    body.cancel()
    await until(() => closed === 1)
    await ask(from)
    await until(() => {
      gc()
      return closed === 2
    })
    assert.strictEqual(from.stats().inFlight, 0)
  })

  it("keeps its clocks: the queue's, the headers', the body's, and the deadline", async () => {
    const server = await serveH1((request, response) => {
      if (request.url === "/body") response.write("begun")
    })
    const from = pool(server.origin, over)
    const slow = verdict(ask(from, { timeouts: { ...timeouts, headers: 150 } }))
    assert.strictEqual(await verdict(ask(from, { timeouts: { ...timeouts, queue: 30 } })), "QueueTimeout, no")
    assert.strictEqual(await slow, "Timeout, maybe")
    assert.strictEqual(
      await verdict(text(from, { path: "/body", timeouts: { ...timeouts, body: 50 } })),
      "Timeout, yes"
    )
    assert.strictEqual(await verdict(ask(from, { deadline: within(50) })), "Timeout, maybe")
    await until(() => from.stats().inFlight === 0)
  })

  it("closes: waiting requests are refused, those in flight have the drain's time", async () => {
    const server = await serveHeld()
    const from = pool(server.origin, over)
    const first = text(from, { path: "/1" })
    const second = verdict(ask(from))
    await until(() => server.open() === 1)
    const closing = from.close(60_000)
    assert.strictEqual(await second, "Closed, no")
    assert.strictEqual(await verdict(ask(from)), "Closed, no")
    server.release()
    assert.strictEqual(await first, "/1")
    await closing
    assert.strictEqual(from.stats().sockets, 0)

    const hasty = pool(server.origin, over)
    const third = verdict(ask(hasty))
    await until(() => server.open() === 1)
    await hasty.close(0)
    assert.strictEqual(await third, "Closed, maybe")
    await until(() => server.cut() === 1)
  })

  it("sends bodies of all kinds, and fails one that fails or is not as long as it says", async () => {
    const server = await serveH1(async (request, response) => {
      let body = ""
      request.on("error", () => response.destroy())
      request.on("data", (chunk: Buffer) => (body += chunk.toString()))
      request.on("end", () => response.end(`${body} ${request.headers["content-length"] ?? "none"}`))
    })
    const from = pool(server.origin, over)
    const send = (body: NonNullable<Parameters<typeof ask>[1]>["body"]) => text(from, { method: "POST", body })
    assert.strictEqual(await send("text"), "text 4")
    assert.strictEqual(await send(Buffer.from("bytes")), "bytes 5")
    assert.strictEqual(await send(bodyOf("in ", "", "parts")), "in parts none")
    const failing = {
      length: undefined,
      open: async function* () {
        yield Buffer.from("begun")
        throw new Error("the disk is gone")
      }
    }
    const error = await failure(send(failing))
    assert.deepStrictEqual([error.reason, error.processed], ["Aborted", "maybe"])
    assert.include(error.message, "the disk is gone")
    assert.include((await failure(send({ ...bodyOf("four"), length: 5 }))).message, "less than the 5 bytes")
    assert.strictEqual(await send("and on"), "and on 6")
  })

  it("stops reading from the runtime while it is unread", async () => {
    let pulled = 0
    const chunk = new Uint8Array(100 * 1024)
    const source = () =>
      new ReadableStream<Uint8Array<ArrayBuffer>>(
        { pull: (controller) => (++pulled > 20 ? controller.close() : controller.enqueue(chunk)) },
        { highWaterMark: 0 }
      )
    const from = pool("http://127.0.0.1:1", { runtime: { ...runtime, fetch: async () => new Response(source()) } })
    const { body } = await ask(from)
    await until(() => pulled === 3)
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.strictEqual(pulled, 3)
    assert.strictEqual((await readAll(body)).length, 20 * chunk.length)
  })

  it("gives decoded bodies without the headers of their bytes on the wire", async () => {
    const zipped = zlib.gzipSync("plain")
    const server = await serveH1((_, response) => {
      response.setHeader("content-encoding", "gzip")
      response.setHeader("content-length", zipped.length)
      response.end(zipped)
    })
    const { body, headers } = await ask(pool(server.origin, over))
    assert.notInclude(headers.map(([name]) => name).join(), "content-")
    assert.strictEqual(await readAll(body), "plain")
    // A runtime that leaves them as they are.
    const raw = { ...runtime, decodes: false }
    const names = (await ask(pool(server.origin, { runtime: raw }))).headers.map(([name]) => name)
    assert.includeMembers(names, ["content-encoding", "content-length"])
  })

  it("classifies failures, and reports whether the request was sent", async () => {
    const server = await serveH1((request, response) => {
      if (request.url === "/cut") response.write("begun", () => response.destroy())
      else if (request.url === "/long") response.setHeader("x-long", "x".repeat(200)).end()
      else response.destroy()
    })
    const from = pool(server.origin, { ...over, maxHeadBytes: 200 })
    const gone = net.createServer()
    const { origin } = await serveTcp(gone)
    await new Promise((resolve) => gone.close(resolve))
    assert.strictEqual(await verdict(ask(pool(origin, over))), "Connection, no")
    assert.strictEqual(await verdict(ask(pool("http://nowhere.invalid", over))), "Connection, no")
    assert.strictEqual(await verdict(ask(from, { path: "/reset?key=secret" })), "Connection, maybe")
    assert.strictEqual(await verdict(text(from, { path: "/cut" })), "Connection, yes")
    assert.strictEqual(await verdict(ask(from, { path: "/long" })), "Malformed, maybe")
    assert.strictEqual(await verdict(ask(from, { headers: { "no name": "x" } })), "Malformed, no")
    assert.strictEqual(from.stats().inFlight, 0)
  })
})
