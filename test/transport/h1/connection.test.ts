import * as diagnostics from "node:diagnostics_channel"
import { once } from "node:events"
import * as net from "node:net"
import { expect, test, vi } from "vitest"
import { transportLimits } from "../../../src/internal/util/bounds.ts"
import { H1Connection } from "../../../src/internal/transport/h1/connection.ts"
import { ask, defer, failure, pool, readAll, serveH1, serveTcp, text, until } from "../harness.ts"

vi.mock("../../../src/internal/util/timers.ts", () => import("../../support/globalTimers.ts"))

const host = { freed: () => {}, answered: () => {}, retired: () => {}, gone: () => {}, requeue: () => {} }
const limits = { keepAlive: 60_000, maxConnectionAge: 60_000, pingInterval: 60_000, ...transportLimits }

test("an idle connection closes when the server has let go of it, and after half a second if the server never does", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  defer(() => vi.useRealTimers())
  const server = net.createServer({ allowHalfOpen: true }, (socket) => void socket.resume())
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  const left = async () => {
    const socket = net.connect(port, "127.0.0.1")
    const [[theirs]] = await Promise.all([once(server, "connection"), once(socket, "connect")])
    const lane = new H1Connection(host, new URL(`http://127.0.0.1:${port}`), socket, limits)
    lane.retire()
    await once(theirs, "end")
    expect(socket.destroyed).toBe(false)
    return { closed: once(socket, "close"), socket, theirs }
  }
  const silent = await left()
  vi.advanceTimersByTime(499)
  expect(silent.socket.destroyed).toBe(false)
  vi.advanceTimersByTime(1)
  await silent.closed
  silent.theirs.destroy()
  const answered = await left()
  answered.theirs.end()
  await answered.closed
  server.close()
})

/** Right after it has connected, so that the request is on it already, and before it is written, which takes a turn. */
const closeEarly = (message: unknown): void => {
  const { socket } = message as { readonly socket: net.Socket }
  socket.once("connect", () => process.nextTick(() => socket.destroy()))
}

test("a request whose connections all close before it is written fails as not processed after 6 attempts", async () => {
  let requests = 0
  const server = await serveH1((_, response) => {
    requests++
    response.end("ok")
  })
  const it = pool(server.origin, { keepAlive: 0 })
  expect(await text(it)).toBe("ok")
  diagnostics.subscribe("net.client.socket", closeEarly)
  defer(() => diagnostics.unsubscribe("net.client.socket", closeEarly))
  const error = await failure(ask(it, { method: "POST", body: "{}" }))
  expect(error).toMatchObject({ reason: "Connection", processed: "no", resent: 5 })
  expect({ requests, dialled: it.stats().opened }).toEqual({ requests: 1, dialled: 7 })
})

test("a request that is aborted before it is written leaves its connection to the next", async () => {
  let requests = 0
  const server = await serveH1((_, response) => {
    requests++
    response.end("ok")
  })
  const it = pool(server.origin, { maxConnections: 1 })
  expect(await text(it)).toBe("ok")
  const controller = new AbortController()
  const aborted = failure(ask(it, { method: "POST", body: "{}", signal: controller.signal }))
  controller.abort()
  expect((await aborted).reason).toBe("Aborted")
  expect(await text(it)).toBe("ok")
  expect({ requests, dialled: it.stats().opened }).toEqual({ requests: 2, dialled: 1 })
})

/** A server that sends this at once for each connection's first bytes, and closes nothing. */
const serveBytes = async (bytes: string) => {
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined)
    socket.on("data", () => socket.write(bytes))
  })
  return serveTcp(server)
}

test("a response with bytes behind it is taken, and its connection is not used again", async () => {
  const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
  const it = pool((await serveBytes(`${ok}HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad`)).origin)
  for (let i = 0; i < 3; i++) expect(await text(it)).toBe("ok")
  expect(it.stats().opened).toBe(3)
})

test("a header that would forge another, or end the head, is never written", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const it = pool(server.origin)
  const forged = [
    { headers: { "x-a": "b\r\nx-c: d" } },
    { headers: { "x-a\r\n": "b" } },
    { headers: { "transfer-encoding": "chunked" } },
    { headers: { "content-length": "1" } },
    { path: "/ HTTP/1.1\r\nx: y" },
    { path: "http://elsewhere.test/" },
    { method: "GET / HTTP/1.1\r\n" }
  ]
  for (const request of forged) {
    const { processed, reason } = await failure(ask(it, request))
    expect({ processed, reason }, JSON.stringify(request)).toEqual({ processed: "no", reason: "Malformed" })
  }
  expect(await text(it)).toBe("ok")
  expect(it.stats().opened).toBe(1)
})

const hello = async function* () {
  yield Buffer.from("hello to the whole of this, ")
  yield Buffer.from("")
  yield Buffer.from("world")
}

test("a streamed body goes in chunks where its length is not known, and ends with its request", async () => {
  const seen: Array<unknown> = []
  const server = await serveH1((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += String(chunk)))
    request.on("end", () => {
      seen.push([request.headers["transfer-encoding"], request.headers["content-length"], body])
      response.end("ok")
    })
  })
  const it = pool(server.origin, { maxConnections: 1 })
  for (const length of [undefined, 33]) {
    expect(await text(it, { method: "POST", body: { length, open: hello } })).toBe("ok")
  }
  expect(seen).toEqual([
    ["chunked", undefined, "hello to the whole of this, world"],
    [undefined, "33", "hello to the whole of this, world"]
  ])
  expect(it.stats().opened).toBe(1)
})

test("a connection whose response came before the whole of the request carries no other", async () => {
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined)
    socket.once("data", (bytes) => {
      const isLong = bytes.toString("latin1").startsWith("POST")
      if (isLong) socket.pause()
      socket.write(`HTTP/1.1 ${isLong ? 413 : 200} X\r\ncontent-length: 2\r\n\r\nok`)
    })
  })
  const it = pool((await serveTcp(server)).origin)
  const long = await ask(it, { method: "POST", body: new Uint8Array(50_000_000) })
  expect([long.status, await readAll(long.body)]).toEqual([413, "ok"])
  expect(await text(it)).toBe("ok")
  expect(it.stats().opened).toBe(2)
})

test("a body that yields more than it announced is ended", async () => {
  const server = await serveH1((request, response) => void request.resume().on("end", () => response.end("ok")))
  let isOver = false
  const chunks = async function* () {
    try {
      for (let i = 0; i < 3; i++) yield Buffer.from("four")
    } finally {
      isOver = true
    }
  }
  await failure(ask(pool(server.origin), { method: "POST", body: { length: 5, open: chunks } }))
  await until(() => isOver)
})
