import { once } from "node:events"
import * as net from "node:net"
import { Client } from "undici"
import { expect, test } from "vitest"
import { H1Lane } from "../../src/internal/transport/h1Lane.ts"
import { serveH1 } from "./harness.ts"

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
  const host = { freed: () => {}, retired: () => {}, gone: () => {}, requeue: () => {} }
  const limits = { keepAlive: 60_000, maxConnectionAge: 60_000, pingInterval: 60_000 }
  const lane = new H1Lane(host, Recorded, server.origin, socket, limits)
  expect(given).toMatchObject([{ headersTimeout: 0, bodyTimeout: 0 }])
  lane.retire()
  expect(socket.destroyed).toBe(true)
})
