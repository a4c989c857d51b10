/** Connections that are reset while a request is being written. */
import { expect, test } from "vitest"
import { serveToxics } from "../../support/toxics.ts"
import { ask, defer, pool, serveScript, serveTls, until, verdict } from "../harness.ts"

/** More than the buffers of two sockets hold. */
const body = Buffer.alloc(8_000_000)

/** Without pings, which would notice the reset. */
const patient = { pingInterval: 3_600_000 }

/** WINDOW_UPDATE by all that there may be, for the connection as for a stream. */
const windowOf = (id: number): Buffer => Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, id, 0x3f, 0xff, 0, 0])

/** A ping to a session that is writing: the answer is even more to write, and the session stops reading. */
const ping = Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])

test("HTTP/2: a connection that is reset while a request is written over TLS is found dead, though Node reports nothing", async () => {
  const server = await serveScript({
    tls: true,
    onOpen: (connection) => connection.raw(windowOf(0)),
    onHeaders: (connection, id) => {
      connection.raw(windowOf(id))
      connection.deafen()
      // By then the buffers are full.
      setTimeout(() => connection.raw(ping), 200)
      setTimeout(() => connection.rst(), 300)
    }
  })
  const it = pool(server.origin, patient)
  expect(await verdict(ask(it, { method: "POST", body }))).toBe("Connection, maybe")
  await until(() => it.stats().sockets === 0)
})

test("HTTP/1.1: a connection that is reset while a request is written over TLS is dead at once", async () => {
  const server = await serveTls(({ socket }) => {
    socket.pause()
    setTimeout(() => void proxy.down(), 200)
  })
  const proxy = await serveToxics(server.port)
  defer(proxy.down)
  const it = pool(`https://127.0.0.1:${proxy.port}`, { ...patient, http2: false })
  expect(await verdict(ask(it, { method: "POST", body }))).toBe("Connection, maybe")
  await until(() => it.stats().sockets === 0)
})
