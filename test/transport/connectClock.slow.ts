/** `timeouts.headers` runs while a connection is being opened for a request, and not while it waits for busy sockets. */
import * as net from "node:net"
import { expect, test } from "vitest"
import { serveStalled } from "../support/stalled.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import {
  ask,
  defer,
  failure,
  pool,
  pool2,
  serveH1,
  serveH2,
  serveScript,
  serveTcp,
  sleep,
  text,
  timeouts,
  until,
  verdict
} from "./harness.ts"

const within = (headers: number) => ({ timeouts: { ...timeouts, headers } })

/** Fails with Timeout, unsent, after so many ms. */
const expectUnconnected = async (asked: Promise<unknown>, ms: number): Promise<void> => {
  const began = performance.now()
  const error = await failure(asked)
  const took = performance.now() - began
  expect(`${error.reason}, ${error.processed}, ${error.message}`).toMatch(
    new RegExp(`^Timeout, no, not connected to \\S+ within ${ms} ms$`)
  )
  // Timers of Node may be some ms early.
  expect(took).toBeGreaterThanOrEqual(ms - 10)
  expect(took).toBeLessThan(ms + 20_000)
}

const stalledOrigin = async (): Promise<string> => {
  const stalled = await serveStalled(1)
  defer(stalled.close)
  return `http://127.0.0.1:${stalled.port}`
}

/** Accepts, and never says anything. */
const silent = () => serveTcp(net.createServer((socket) => void socket.resume()))

test("HTTP/1.1: a connect that never succeeds fails a request within its timeout", async () => {
  await expectUnconnected(ask(pool(await stalledOrigin()), within(150)), 150)
})

test("HTTP/2: a connect that never succeeds fails a request within its timeout", async () => {
  await expectUnconnected(ask(pool2(await stalledOrigin()), within(150)), 150)
})

for (const http2 of [true, false]) {
  test(`${http2 ? "HTTP/2" : "HTTP/1.1"}: a TLS handshake that stalls fails a request within its timeout`, async () => {
    const { port } = await silent()
    await expectUnconnected(ask(pool(`https://127.0.0.1:${port}`, { http2 }), within(150)), 150)
  })
}

test("HTTP/2: SETTINGS that never come fail a request within its timeout", async () => {
  const server = await serveScript({ limit: undefined })
  await expectUnconnected(ask(pool2(server.origin), within(150)), 150)
})

test("a short timeout fails its own request alone, and others go on waiting for the same connection", async () => {
  const stalled = await serveStalled((await serveH1((_, response) => response.end("ok"))).port)
  defer(stalled.close)
  const it = pool(`http://127.0.0.1:${stalled.port}`, { maxConnections: 1 })
  const patient = text(it)
  const none = text(it, within(Infinity))
  const first = expectUnconnected(ask(it, within(300)), 300)
  const second = expectUnconnected(ask(it, within(150)), 150)
  await sleep(50)
  const third = expectUnconnected(ask(it, within(50)), 50)
  await Promise.all([first, second, third])
  expect(it.stats()).toMatchObject({ opened: 1, queued: 2 })
  stalled.release()
  expect(await Promise.all([patient, none])).toEqual(["ok", "ok"])
  expect(it.stats().opened).toBe(1)
})

test("time spent on connecting is taken off the time for headers", async () => {
  const server = await serveTcp(
    net.createServer((socket) => {
      // The first byte of HTTP/2: SETTINGS that allow 100 streams, 750 ms late.
      socket.on("error", () => undefined)
      const settings = Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100])
      socket.once("data", () => setTimeout(() => socket.write(settings), 750))
    })
  )
  const it = pool2(server.origin)
  const began = performance.now()
  expect(await verdict(ask(it, within(1_500)))).toBe("Timeout, maybe")
  // One after the other would be 2,250 ms.
  expect(performance.now() - began).toBeLessThan(2_200)
  const later = performance.now()
  expect(await verdict(ask(it, within(1_500)))).toBe("Timeout, maybe")
  expect(performance.now() - later).toBeGreaterThanOrEqual(1_490)
})

/** Keeps the only connection busy for longer than another request's timeout, which is answered all the same. */
const answersBehind = async (origin: string, held: Array<() => void>): Promise<void> => {
  const it = pool(origin, { maxConnections: 1 })
  const busy = text(it, { path: "/held" })
  await until(() => held.length === 1)
  const waiting = text(it, within(200))
  await sleep(500)
  held.pop()?.()
  expect(await Promise.all([busy, waiting])).toEqual(["ok", "ok"])
}

test("HTTP/1.1: waiting for busy sockets counts for no timeout", async () => {
  const held: Array<() => void> = []
  const server = await serveH1(({ url }, response) => {
    if (url === "/held") held.push(() => response.end("ok"))
    else response.end("ok")
  })
  await answersBehind(server.origin, held)
})

test("HTTP/1.1: beside busy sockets only as many requests time out as connections are being opened", async () => {
  const held: Array<() => void> = []
  const real = await serveH1((_, response) => void held.push(() => response.end("ok")))
  let connections = 0
  const front = await serveTcp(
    net.createServer((socket) => {
      // The second connection's handshake stalls: CONNECT is never answered.
      if (++connections > 1) return void socket.resume()
      socket.once("data", () => {
        const to = net.connect(real.port, "127.0.0.1")
        socket.on("error", () => to.destroy()).on("close", () => to.destroy())
        to.on("error", () => socket.destroy()).on("close", () => socket.destroy())
        socket.write("HTTP/1.1 200 OK\r\n\r\n")
        socket.pipe(to).pipe(socket)
      })
    })
  )
  const it = pool(real.origin, { maxConnections: 2, proxy: `http://127.0.0.1:${front.port}` })
  const busy = text(it)
  await until(() => held.length === 1)
  const ends: Array<string> = []
  for (let i = 0; i < 3; i++) {
    void text(it, within(200)).then(
      (answer) => ends.push(`${i} ${answer}`),
      (error: Error) => ends.push(`${i} ${error.message}`)
    )
  }
  await until(() => ends.length === 1)
  expect(ends).toEqual([`0 not connected to ${real.origin} within 200 ms`])
  expect(it.stats().queued).toBe(2)
  held.shift()?.()
  expect(await busy).toBe("ok")
  await until(() => held.length === 1)
  held.shift()?.()
  await until(() => held.length === 1 || ends.length === 3)
  held.shift()?.()
  await until(() => ends.length === 3)
  expect(ends.slice(1).toSorted()).toEqual(["1 ok", "2 ok"])
})

test("HTTP/2: a request that came back to the queue is kept within its timeout too", async () => {
  const server = await serveScript({
    onRequest: (to) => {
      to.goaway(0)
      to.end()
    }
  })
  let connections = 0
  const front = await serveTcp(
    net.createServer((socket) => {
      socket.on("error", () => undefined)
      if (++connections > 1) return void socket.resume()
      const to = net.connect(Number(new URL(server.origin).port), "127.0.0.1")
      to.on("error", () => socket.destroy()).on("close", () => socket.destroy())
      socket.pipe(to).pipe(socket)
    })
  )
  await expectUnconnected(ask(pool2(front.origin, { maxConnections: 1 }), within(1_500)), 1_500)
  expect(connections).toBe(2)
})

test("HTTP/2: waiting for room on a session counts for no timeout", async () => {
  const held: Array<() => void> = []
  const server = await serveH2(
    ({ url }, response) => {
      if (url === "/held") held.push(() => response.end("ok"))
      else response.end("ok")
    },
    { settings: { maxConcurrentStreams: 1 } }
  )
  await answersBehind(server.origin, held)
})

test("waiting for a socket of the process's budget counts for no timeout", async () => {
  const held: Array<() => void> = []
  const budget = new SocketBudget(1)
  const server = await serveH1(({ url }, response) => {
    if (url === "/held") held.push(() => response.end("ok"))
    else response.end("ok")
  })
  const busy = text(pool(server.origin, { budget }), { path: "/held" })
  await until(() => held.length === 1)
  const waiting = text(pool(server.origin, { budget }), within(200))
  await sleep(500)
  held.pop()?.()
  expect(await Promise.all([busy, waiting])).toEqual(["ok", "ok"])
})

test("a pause between two dials counts, as does each dial", async () => {
  const it = pool("http://127.0.0.1:1")
  for (let i = 0; i < 5; i++) expect(await verdict(ask(it))).toBe("Connection, no")
  // The pause is 250 to 500 ms by now. A busy machine may come to one when it is over.
  const verdicts: Array<string> = []
  for (let i = 0; i < 8; i++) verdicts.push(await verdict(ask(it, within(60))))
  expect(verdicts).toContain("Timeout, no")
})
