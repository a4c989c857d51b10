import { once } from "node:events"
import * as net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { Client } from "undici"
import { expect, test } from "vitest"
import { transportLimits } from "../../src/internal/limits.ts"
import { H1Lane } from "../../src/internal/transport/h1Lane.ts"
import { serveH1 } from "./harness.ts"

const host = { freed: () => {}, retired: () => {}, gone: () => {}, requeue: () => {} }
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

test("an idle connection closes when the server has let go of it, and soon if the server never does", async () => {
  let letGo: (() => void) | undefined
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.resume()
    letGo = () => socket.end()
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  const closed = async (answer: boolean): Promise<number> => {
    const socket = net.connect(port, "127.0.0.1")
    await once(socket, "connect")
    const lane = new H1Lane(host, Client, `http://127.0.0.1:${port}`, socket, limits)
    const at = performance.now()
    lane.retire()
    await sleep(20)
    expect(socket.destroyed).toBe(false)
    if (answer) letGo?.()
    await once(socket, "close")
    return performance.now() - at
  }
  expect(await closed(false)).toBeGreaterThan(400)
  expect(await closed(true)).toBeLessThan(400)
  server.close()
})
