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
  timeouts,
  until,
  verdict,
  within
} from "./harness.ts"

type Handler = (request: NodeJS.ReadableStream & { url?: string }, response: NodeJS.WritableStream & Loose) => void
interface Loose {
  destroyed?: boolean
  on: (event: string, f: () => void) => unknown
}
const protocols = [
  ["HTTP/1.1", (handler: Handler) => serveTls(handler as Parameters<typeof serveTls>[0])],
  ["HTTP/2", (handler: Handler) => serveH2(handler as unknown as Parameters<typeof serveH2>[0])]
] as const

for (const [name, serve] of protocols) {
  test(`${name}: an abort in the queue settles at once, and the server never sees it`, async () => {
    const seen: Array<string | undefined> = []
    const server = await serve((request, response) => {
      seen.push(request.url)
      setTimeout(() => response.end("ok"), 50)
    })
    const it = pool(server.origin, { maxConnections: 1, http2: name === "HTTP/2" })
    const abort = new AbortController()
    const first = text(it, { path: "/first" })
    const second = failure(ask(it, { path: "/second", signal: abort.signal }))
    const reason = new Error("changed my mind")
    abort.abort(reason)
    const error = await second
    expect([error.reason, error.processed, error.cause]).toEqual(["Aborted", "no", reason])
    expect(it.stats().queued).toBe(1)
    expect(await first).toBe("ok")
    expect(await text(it, { path: "/third" })).toBe("ok")
    expect(seen).toEqual(["/first", "/third"])
    expect(await verdict(ask(it, { signal: AbortSignal.abort() }))).toBe("Aborted, no")
  })

  test(`${name}: an abort before headers and in mid body reaches the server, and harms no neighbour`, async () => {
    let closed = 0
    let never = 0
    const halves: Array<NodeJS.WritableStream> = []
    const server = await serve((request, response) => {
      request.on("error", () => undefined)
      response.on("error", () => undefined)
      response.on("close", () => closed++)
      if (request.url === "/never") return void never++
      response.write("half")
      if (request.url === "/whole") halves.push(response)
    })
    const it = pool(server.origin)
    const neighbours = Array.from({ length: 5 }, () => text(it, { path: "/whole" }))
    const abort = new AbortController()
    const before = failure(ask(it, { path: "/never", signal: abort.signal }))
    const response = await ask(it, { path: "/half", signal: abort.signal })
    const ends: Array<string | undefined> = []
    response.body.onEnd((error) => ends.push(error?.reason))
    expect(Buffer.from((await response.body.read()) ?? "").toString()).toBe("half")
    const during = failure(response.body.read())
    await until(() => never === 1 && halves.length === 5)
    abort.abort()
    expect([(await before).reason, (await before).processed]).toEqual(["Aborted", "maybe"])
    expect((await during).reason).toBe("Aborted")
    expect(ends).toEqual(["Aborted"])
    await until(() => closed === 2)
    for (const half of halves) half.end(" and half")
    expect(await Promise.all(neighbours)).toEqual(neighbours.map(() => "half and half"))
  })

  test(`${name}: a cancelled body stops the server, and cancelling again or after the end does nothing`, async () => {
    let closed = 0
    const server = await serve((request, response) => {
      response.on("close", () => closed++)
      response.on("error", () => undefined)
      if (request.url === "/whole") response.end("ok")
      else response.write("half")
    })
    const it = pool(server.origin)
    const { body } = await ask(it)
    body.cancel()
    body.cancel()
    expect((await failure(body.read())).reason).toBe("Aborted")
    await until(() => closed === 1 && it.stats().inFlight === 0)
    const whole = await ask(it, { path: "/whole" })
    expect(await readAll(whole.body)).toBe("ok")
    whole.body.cancel()
    expect(await whole.body.read()).toBeUndefined()
    let ended: unknown = "not called"
    whole.body.onEnd((error) => (ended = error))
    expect(ended).toBeUndefined()
  })

  test(`${name}: no headers in time`, async () => {
    const server = await serve((request, response) => {
      if (request.url === "/ok") response.end("ok")
    })
    const it = pool(server.origin)
    // Connects, so that the time below is one of waiting alone.
    expect(await text(it, { path: "/ok" })).toBe("ok")
    const began = performance.now()
    expect(await verdict(ask(it, { timeouts: { ...timeouts, headers: 60 } }))).toBe("Timeout, maybe")
    expect(performance.now() - began).toBeGreaterThanOrEqual(59)
    expect(await text(it, { path: "/ok" })).toBe("ok")
  })

  test(`${name}: a pause between chunks longer than the body timeout, counted only while a read waits`, async () => {
    const server = await serve((request, response) => {
      response.write("one ")
      if (request.url === "/slow") return
      setTimeout(() => response.write("two "), 40)
      setTimeout(() => response.end("three"), 80)
    })
    const it = pool(server.origin)
    const request = { timeouts: { ...timeouts, body: 200 } }
    expect(await text(it, request)).toBe("one two three")
    const { body } = await ask(it, request)
    await sleep(400)
    expect(await readAll(body)).toBe("one two three")
    const slow = await ask(it, { ...request, path: "/slow" })
    expect(Buffer.from((await slow.body.read()) ?? "").toString()).toBe("one ")
    await sleep(300)
    const began = performance.now()
    expect((await failure(slow.body.read())).reason).toBe("Timeout")
    expect(performance.now() - began).toBeGreaterThanOrEqual(199)
  })

  test(`${name}: a deadline runs on while bytes drip`, async () => {
    const server = await serve((_, response) => {
      const drip = setInterval(() => response.write("."), 10)
      response.on("close", () => clearInterval(drip))
      response.on("error", () => undefined)
    })
    const it = pool(server.origin)
    const began = performance.now()
    const error = await failure(text(it, { deadline: within(150) }))
    expect(error.reason).toBe("Timeout")
    expect(performance.now() - began).toBeGreaterThanOrEqual(149)
    await until(() => it.stats().inFlight === 0)
  })

  test(`${name}: time in the queue counts for no timeout`, async () => {
    const server = await serve(({ url }, response) => {
      if (url === "/first") setTimeout(() => response.end("ok"), 1_200)
      else response.end("ok")
    })
    const it = pool(server.origin, { maxConnections: 1, http2: false })
    const first = text(it, { path: "/first" })
    const all = Array.from({ length: 5 }, () => text(it, { timeouts: { headers: 1_000, body: 1_000 } }))
    expect(await Promise.all([first, ...all])).toHaveLength(6)
  })
}

test("HTTP/1.1: informational responses neither answer nor restart the headers' time", async () => {
  const server = await serveTcp(
    net.createServer((socket) => {
      socket.on("error", () => undefined)
      socket.once("data", (request) => {
        const early = setInterval(() => socket.write("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"), 30)
        socket.on("close", () => clearInterval(early))
        if (request.toString().startsWith("GET /never")) return
        setTimeout(() => {
          clearInterval(early)
          socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        }, 100)
      })
    })
  )
  const it = pool(server.origin)
  expect(await text(it)).toBe("ok")
  const late = ask(pool(server.origin), { path: "/never", timeouts: { ...timeouts, headers: 150 } })
  expect(await verdict(late)).toBe("Timeout, maybe")
})

test("HTTP/1.1: a response that is cut is an error, with any framing", async () => {
  const answers: Record<string, string> = {
    "/length": "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
    "/length-close": "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\nhalf",
    "/chunked": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "/headers": "HTTP/1.1 200 OK\r\ncontent-le",
    "/nothing": ""
  }
  const server = await serveTcp(
    net.createServer((socket) =>
      socket.once("data", (request) => {
        socket.end(answers[request.toString().split(" ")[1] ?? ""] ?? "HTTP/1.1 200 OK\r\n\r\nuntil the end")
      })
    )
  )
  const it = pool(server.origin)
  for (const path of ["/length", "/length-close", "/chunked"]) {
    const { body } = await ask(it, { path })
    expect(Buffer.from((await body.read()) ?? "").toString()).toBe("half")
    expect(await verdict(body.read())).toBe("Connection, yes")
  }
  expect(await verdict(ask(it, { path: "/headers" }))).toBe("Malformed, maybe")
  expect(await verdict(ask(it, { path: "/nothing" }))).toBe("Connection, maybe")
  expect(await text(it, { path: "/until-close" })).toBe("until the end")
})

test("HTTP/1.1: a body that only the connection's end delimits is not whole if that was a reset", async () => {
  const server = await serveTcp(
    net.createServer((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\nhalf")
        setTimeout(() => socket.resetAndDestroy(), 50)
      })
    )
  )
  expect(await verdict(text(pool(server.origin)))).toBe("Connection, yes")
})

test("HTTP/1.1: a response that is not HTTP is Malformed", async () => {
  const server = await serveTcp(net.createServer((socket) => socket.once("data", () => socket.end("SSH-2.0-oops\r\n"))))
  expect((await failure(ask(pool(server.origin)))).reason).toBe("Malformed")
})

test("HTTP/1.1: requests on sockets that the server closes while they idle are answered on others", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const it = pool(server.origin, { maxConnections: 4 })
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 8 }, () => text(it)))
    await sleep(5)
  }
  const closing = await serveTcp(
    net.createServer((socket) => {
      socket.on("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        setImmediate(() => socket.end())
      })
    })
  )
  const other = pool(closing.origin)
  for (let i = 0; i < 10; i++) {
    expect(await text(other)).toBe("ok")
    await sleep(10)
  }
})
