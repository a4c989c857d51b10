/** Effects of a slow reader, or of a socket that breaks, on its neighbours. */
import * as net from "node:net"
import { expect, test } from "vitest"
import type { WireBody } from "../../src/internal/http/types.ts"
import { ask, fate, gc, pool, readAll, serveH2, serveTcp, serveTls, sleep, text, until } from "./harness.ts"

const KB = 1024
const MB = 1024 * KB
const GB = 1024 * MB

interface Answer {
  readonly write: (chunk: Uint8Array) => boolean
  readonly end: (text?: string) => unknown
  readonly on: (event: "drain" | "error" | "close", f: () => void) => unknown
}
interface Asked {
  readonly url?: string
  readonly resume: () => unknown
}
type Handler = (request: Asked, response: Answer) => void

const chunk = Buffer.alloc(64 * KB, "x")

/** Offers a gigabyte to each who asks for it, as fast as it is taken; says how much of it was, at most. */
const generous = () => {
  let most = 0
  const handler: Handler = (request, response) => {
    const { url } = request
    // A busy server of Node's resets a stream whose request was not read, with NO_ERROR and in the place of its end.
    request.resume()
    response.on("error", () => undefined)
    if (url === "/small") return response.end("ok")
    let sent = 0
    const more = (): void => {
      while (sent < GB) {
        sent += chunk.length
        most = Math.max(most, sent)
        if (!response.write(chunk)) return
      }
      response.end()
    }
    response.on("drain", more)
    return more()
  }
  return { handler, most: () => most }
}

const held = (): number => {
  gc()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

for (const { name, readers, serve, sockets, taken } of [
  {
    name: "HTTP/1.1",
    serve: (handler: Handler) => serveTls(handler as Parameters<typeof serveTls>[0]),
    readers: 8,
    sockets: 9,
    // The kernel's buffer for a socket is outside our control: Linux grows it to some MB.
    taken: 64 * MB
  },
  {
    name: "HTTP/2",
    serve: (handler: Handler) => serveH2(handler as unknown as Parameters<typeof serveH2>[0]),
    // So many that their windows together are more than that of the session.
    readers: 80,
    sockets: 1,
    taken: MB
  }
]) {
  test(`${name}: readers of 1 GB at a few KB a second cost little memory, and their neighbours nothing`, async () => {
    const server = generous()
    const it = pool((await serve(server.handler)).origin, { maxConnections: sockets })
    const small = async () => readAll((await ask(it, { path: "/small" })).body)
    expect(await small()).toBe("ok")
    const before = held()
    const bodies: ReadonlyArray<WireBody> = await Promise.all(
      Array.from({ length: readers }, async () => (await ask(it, { path: "/big" })).body)
    )
    let read = 0
    for (let second = 0; second < 10; second++) {
      const chunks = await Promise.all(bodies.map((body) => body.read()))
      read = Math.max(read, second + 1)
      for (const one of chunks) expect(one?.[0]).toBe(chunk[0])
      expect(await Promise.all(Array.from({ length: 20 }, small))).toEqual(Array.from({ length: 20 }, () => "ok"))
      await sleep(30)
    }
    // A chunk is never more than what a server writes at once.
    expect(server.most()).toBeLessThan(taken + read * chunk.length)
    expect(held() - before).toBeLessThan(readers * MB)
    expect(it.stats()).toMatchObject({ inFlight: readers, queued: 0, sockets })
    for (const body of bodies) body.cancel()
    await until(() => it.stats().inFlight === 0)
  })
}

test("HTTP/1.1: ten sockets reset with ten sent and 40 waiting: ten may have been processed, 40 are answered elsewhere", async () => {
  let requests = 0
  let broken = 0
  const open: Array<net.Socket> = []
  const server = await serveTcp(
    net.createServer((socket) => {
      socket.on("error", () => undefined)
      socket.on("data", () => {
        requests++
        if (open.length < 10 && broken === 0) open.push(socket)
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        if (open.length < 10 || broken > 0) return
        broken = open.length
        for (const one of open) one.resetAndDestroy()
      })
    })
  )
  const it = pool(server.origin, { maxConnections: 10 })
  const results = await Promise.all(Array.from({ length: 50 }, () => fate(text(it))))
  expect(results.filter((result) => result === "Connection, maybe")).toHaveLength(10)
  expect(results.filter((result) => result === "ok")).toHaveLength(40)
  expect([requests, broken]).toEqual([50, 10])
  expect(results.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "Connection, maybe"))
})
