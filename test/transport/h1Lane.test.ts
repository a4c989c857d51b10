import * as diagnostics from "node:diagnostics_channel"
import { once } from "node:events"
import * as net from "node:net"
import { Client } from "undici"
import { expect, test, vi } from "vitest"
import { transportLimits } from "../../src/internal/limits.ts"
import { H1Lane } from "../../src/internal/transport/h1Lane.ts"
import { ask, defer, failure, pool, serveH1, text } from "./harness.ts"

vi.mock("../../src/internal/time/timers.ts", () => import("../support/globalTimers.ts"))

const host = { freed: () => {}, answered: () => {}, retired: () => {}, gone: () => {}, requeue: () => {} }
const limits = { keepAlive: 60_000, maxConnectionAge: 60_000, pingInterval: 60_000, ...transportLimits }

test("undici's own timeouts, 300 s if nobody says otherwise, are off: a request brings its own", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const socket = net.connect(server.port, "127.0.0.1")
  await once(socket, "connect")
  const given: Array<Client.Options | undefined> = []
  class Recorded extends Client {
    constructor(origin: string | URL, options?: Client.Options) {
      super(origin, options)
      given.push(options)
    }
  }
  const lane = new H1Lane(host, Recorded, server.origin, socket, limits)
  expect(given).toMatchObject([{ headersTimeout: 0, bodyTimeout: 0 }])
  lane.retire()
  await once(socket, "close")
})

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
    const lane = new H1Lane(host, Client, `http://127.0.0.1:${port}`, socket, limits)
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

/** Right after it has connected, so that the request is on it already, and before undici writes, which takes a turn. */
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
