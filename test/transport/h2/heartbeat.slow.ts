import * as net from "node:net"
import { expect, test } from "vitest"
import { Heartbeat } from "../../../src/internal/transport/h2/heartbeat.ts"
import { serveToxics } from "../../support/toxics.ts"
import {
  ask,
  defer,
  failure,
  pool,
  pool2,
  readAll,
  serveH2,
  serveScript,
  serveTcp,
  text,
  until,
  verdict
} from "../harness.ts"

/** Its actions at each of these times. */
const beats = (heart: Heartbeat, times: ReadonlyArray<number>, active = 1, held = 0) =>
  times.map((now) => heart.beat(now, active, held, 0, 0))

test("pings go out once an interval while something is under way, and not while nothing is", () => {
  const heart = new Heartbeat(10, 0)
  expect(beats(heart, [5, 10, 11, 12])).toEqual([undefined, undefined, "ping", undefined])
  heart.answered()
  expect(beats(heart, [21, 22])).toEqual([undefined, "ping"])
  heart.answered()
  expect(beats(heart, [40, 100], 0)).toEqual([undefined, undefined])
  expect(beats(heart, [101])).toEqual(["ping"])
})

test("one ping missed makes it suspect, an answer clears it, two in a row are the end", () => {
  const heart = new Heartbeat(10, 0)
  expect(beats(heart, [11, 22])).toEqual(["ping", "ping"])
  expect(heart.suspect).toBe(true)
  heart.answered()
  expect(heart.suspect).toBe(false)
  expect(beats(heart, [33, 44])).toEqual(["ping", "ping"])
  expect(beats(heart, [54, 55])).toEqual([undefined, "dead"])
})

test("one missed is the end when nothing is under way, and places that may not be free are reason to ask", () => {
  const heart = new Heartbeat(10, 0)
  expect(beats(heart, [11], 0, 1)).toEqual(["ping"])
  expect(beats(heart, [21, 22, 23], 0, 1)).toEqual([undefined, "ping", "dead"])
})

test("an event loop that was blocked for long is one ping missed, not the end", () => {
  const heart = new Heartbeat(10, 0)
  expect(beats(heart, [11, 3_600_000])).toEqual(["ping", "ping"])
  heart.answered()
  expect(heart.suspect).toBe(false)
})

test("a peer that sends is alive, though its answer to the ping is still queued", () => {
  const heart = new Heartbeat(10, 0)
  for (let now = 11, bytes = 0; now < 1_000; now += 11, bytes += 1) expect(heart.beat(now, 1, 0, bytes, 0)).toBe("ping")
  expect(heart.suspect).toBe(false)
})

test("a peer that takes more of an upload is alive, but gets no new requests before it answers", () => {
  const heart = new Heartbeat(10, 0)
  for (let now = 11, left = 1; now < 1_000; now += 11, left += 1) {
    expect(heart.beat(now, 1, 0, 0, left)).toBe("ping")
    expect(heart.suspect).toBe(left > 1)
  }
  expect([1_001, 1_012, 1_023].map((now) => heart.beat(now, 1, 0, 0, 91))).toEqual(["ping", "ping", "dead"])
})

test("HTTP/2: a black hole is left after two pings: sent requests may have been processed, later ones go elsewhere", async () => {
  let silent = false
  const server = await serveScript({
    onPing: (to, answer) => void (to.index > 1 || !silent ? answer() : 0),
    onRequest: (to, id) => {
      if (to.index > 1) return to.respond(id)
      if (id === 1) to.headers(id)
      if (to.requests === 2) silent = true
      return undefined
    }
  })
  const it = pool2(server.origin, { pingInterval: 200 })
  const { body } = await ask(it)
  const half = verdict(body.read())
  const sent = failure(ask(it))
  await until(() => silent)
  const pings = server.pings
  // The first ping has gone unanswered: nothing new is sent into the hole.
  await until(() => server.pings >= pings + 2)
  expect(await text(it)).toBe("ok")
  expect(server.connections).toBe(2)
  const error = await sent
  expect([error.reason, error.processed, error.message]).toEqual([
    "Timeout",
    "maybe",
    "pings were not answered within 200 ms"
  ])
  expect(await half).toBe("Connection, yes")
  await until(() => server.open === 1)
})

test("HTTP/2: a session that answers late is used again", async () => {
  const late: Array<() => void> = []
  const server = await serveScript({
    onPing: (_, answer) => void (late.length < 2 ? late.push(answer) : answer()),
    onRequest: (to, id) => (id === 1 ? undefined : to.respond(id))
  })
  const it = pool2(server.origin, { pingInterval: 1_000, maxConnections: 1 })
  const first = failure(ask(it))
  await until(() => late.length === 2)
  const waiting = text(it)
  expect(it.stats()).toMatchObject({ inFlight: 1, queued: 1 })
  late[0]?.()
  expect(await waiting).toBe("ok")
  // At once, not with the next ping.
  expect([server.connections, server.pings]).toEqual([1, 2])
  await it.close(0)
  expect((await first).reason).toBe("Closed")
})

test("HTTP/2: a long response over a slow path is not taken for a black hole, though no ping is answered meanwhile", async () => {
  const server = await serveScript({
    pong: false,
    onRequest: (to, id) => {
      to.headers(id)
      let left = 25
      const drip = setInterval(() => {
        to.data(id, ".", --left === 0)
        if (left === 0) clearInterval(drip)
      }, 20)
    }
  })
  const it = pool2(server.origin, { pingInterval: 100 })
  expect(await readAll((await ask(it)).body)).toHaveLength(25)
  expect(server.pings).toBeGreaterThan(2)
})

test("a doubt makes it suspect at once, is hoped to be cleared for a second, and stands for the first ping missed", () => {
  const heart = new Heartbeat(10_000, 0)
  expect(heart.doubt(500, 0, 0)).toBe(true)
  expect(heart.doubt(600, 0, 0)).toBe(false)
  expect([heart.suspect, heart.hopes(1_599), heart.hopes(1_600)]).toEqual([true, true, false])
  heart.answered()
  expect([heart.suspect, heart.hopes(700)]).toEqual([false, false])
  expect(heart.doubt(1_000, 0, 0)).toBe(true)
  expect(beats(heart, [11_000, 11_001])).toEqual([undefined, "dead"])
})

test("HTTP/2: a request without headers in time makes its session suspect: it gets no new requests until it answers a ping", async () => {
  const unanswered: Array<() => void> = []
  let answered = false
  let after: boolean | undefined
  const server = await serveScript({
    onPing: (_, pong) => void (answered ? pong() : unanswered.push(pong)),
    onRequest: (to, id) => {
      if (id === 1) return
      after = answered
      to.respond(id)
    }
  })
  const it = pool2(server.origin)
  const timeouts = { headers: 100, body: 15_000 }
  expect(await verdict(ask(it, { timeouts }))).toBe("Timeout, maybe")
  const waiting = text(it)
  await until(() => unanswered.length > 0)
  expect(it.stats()).toMatchObject({ sockets: 1, inFlight: 0, queued: 1 })
  answered = true
  for (const pong of unanswered) pong()
  expect(await waiting).toBe("ok")
  expect([after, server.connections]).toEqual([true, 1])
})

test("HTTP/2: a session in doubt that does not answer for a second is passed over", async () => {
  const server = await serveScript({
    pong: false,
    onRequest: (to, id) => (to.index > 1 ? to.respond(id) : undefined)
  })
  const it = pool2(server.origin)
  expect(await verdict(ask(it, { timeouts: { headers: 100, body: 1_000 } }))).toBe("Timeout, maybe")
  const began = performance.now()
  expect(await text(it)).toBe("ok")
  expect(performance.now() - began).toBeGreaterThan(900)
  expect(server.connections).toBe(2)
})

test("HTTP/2: a session in doubt with nothing on it gives up its place, if there is no other", async () => {
  const server = await serveScript({
    pong: false,
    onRequest: (to, id) => (to.index > 1 ? to.respond(id) : undefined)
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  expect(await verdict(ask(it, { timeouts: { headers: 100, body: 1_000 } }))).toBe("Timeout, maybe")
  expect(await text(it)).toBe("ok")
  expect(server.connections).toBe(2)
  await until(() => server.open === 1)
})

/** The window that a server grants: larger than all that is sent here. */
const window = 64 * 1024 * 1024
const size = 40_000_000

const serveUploads = async () => {
  let got = 0
  let aborted = false
  const server = await serveH2(
    (request, response) => {
      request.on("aborted", () => {
        aborted = true
      })
      if (request.method === "GET") {
        request.stream.session?.setLocalWindowSize(window)
        return void response.end("ok")
      }
      request.on("error", () => undefined)
      request.on("data", (bytes: Buffer) => {
        got += bytes.length
      })
      request.on("end", () => response.end("uploaded"))
      return undefined
    },
    { settings: { initialWindowSize: window } }
  )
  return { port: server.port, got: () => got, aborted: () => aborted }
}

const patient = { headers: 60_000, body: 60_000 }

/** An upload that has begun on a path that takes 2 MB a second, and keeps a few MB on its way. */
const uploading = async (pingInterval: number) => {
  const { aborted, got, port } = await serveUploads()
  const path = await serveToxics(port)
  defer(path.close)
  const it = pool(`https://127.0.0.1:${path.port}`, { pingInterval, maxConnections: 1 })
  await text(it)
  path.add({ type: "bandwidth", bytesPerSecond: 2_000_000 }, "upstream")
  const abort = new AbortController()
  const body = Buffer.alloc(size)
  const upload = failure(ask(it, { method: "POST", body, timeouts: patient, signal: abort.signal }))
  await until(() => got() > 0)
  return { it, abort, aborted, got, upload, path }
}

test("HTTP/2: a long upload over a slow path is not taken for a black hole, though pings stand behind it", async () => {
  const { abort, got, it, upload } = await uploading(500)
  // For longer than two pings may go unanswered.
  await until(() => got() > 8_000_000)
  expect(it.stats()).toMatchObject({ inFlight: 1, opened: 1 })
  abort.abort()
  expect((await upload).reason).toBe("Aborted")
})

test("HTTP/2: a long upload holds back neither its own abort nor others for longer than the path has of it", async () => {
  const { abort, aborted, got, it, path, upload } = await uploading(10_000)
  path.clear()
  path.add({ type: "bandwidth", bytesPerSecond: 8_000_000 }, "upstream")
  expect(await text(it, { method: "POST", body: "short" })).toBe("uploaded")
  expect(got()).toBeLessThan(size / 2)
  abort.abort()
  expect((await upload).reason).toBe("Aborted")
  await until(aborted)
  expect(got()).toBeLessThan(size)
})

test("HTTP/2: a black hole under an upload is left when the kernel takes no more of it", async () => {
  const { got, port } = await serveUploads()
  const clients: Array<net.Socket> = []
  const relay = await serveTcp(
    net.createServer((client) => {
      clients.push(client)
      const upstream = net.connect(port, "127.0.0.1")
      for (const socket of [client, upstream]) socket.on("error", () => undefined)
      client.on("close", () => upstream.destroy())
      client.pipe(upstream).pipe(client)
    })
  )
  const it = pool(`https://127.0.0.1:${relay.port}`, { pingInterval: 500 })
  await text(it)
  const body = Buffer.alloc(size)
  const lost = verdict(text(it, { method: "POST", body, timeouts: patient }))
  await until(() => got() > 1_000_000)
  clients[0]?.unpipe()
  clients[0]?.pause()
  expect(await lost).toBe("Timeout, maybe")
  expect(await text(it)).toBe("ok")
})
