import { expect, test } from "vitest"
import { expiry } from "../../src/internal/transport/connection.ts"
import { moveLocalhost, servePath, serveAt } from "../support/paths.ts"
import { ask, defer, failure, pool, readAll, text, until } from "./harness.ts"

const both = [
  ["HTTP/2", true, "h2"],
  ["HTTP/1.1", false, "http/1.1"]
] as const

// Other systems have but one address on loopback.
const linux = test.runIf(process.platform === "linux")

for (const [name, http2, protocol] of both) {
  linux(
    `${name}: an address that the name has left gets nothing new after maxConnectionAge, and may finish`,
    async () => {
      let address = "127.0.0.1"
      defer(moveLocalhost(() => address))
      const old = await serveAt("127.0.0.1")
      defer(old.close)
      const next = await serveAt("127.0.0.2", old.port)
      defer(next.close)
      const it = pool(`https://localhost:${old.port}`, { http2, maxConnectionAge: 500 })
      const held = await ask(it, { path: "/held" })
      expect(await text(it)).toBe("from 127.0.0.1")
      expect(it.stats().protocol).toBe(protocol)
      address = "127.0.0.2"
      let answer = ""
      while (answer !== "from 127.0.0.2") answer = await text(it)
      const { last } = old
      for (let i = 0; i < 20; i++) expect(await text(it)).toBe("from 127.0.0.2")
      expect(old.last).toBe(last)
      old.release()
      expect(await readAll(held.body)).toBe("from 127.0.0.1")
      await until(() => old.open === 0)
    }
  )
}

test("sockets that opened together leave apart, within the last fifth of their age", () => {
  const times = Array.from({ length: 1_000 }, () => expiry(1_000, 300_000)).sort((a, b) => a - b)
  expect(times[0]).toBeGreaterThanOrEqual(241_000)
  expect(times[999]).toBeLessThanOrEqual(301_000)
  expect(times[900]! - times[100]!).toBeGreaterThan(40_000)
})

test("HTTP/2: a path over TLS that passes nothing any more is left, though TCP reports nothing", async () => {
  const server = await serveAt("127.0.0.1")
  defer(server.close)
  const path = await servePath(server.port)
  defer(path.close)
  const it = pool(`https://127.0.0.1:${path.port}`, { pingInterval: 200 })
  const held = failure(ask(it, { path: "/held" }).then(({ body }) => readAll(body)))
  expect(await text(it)).toBe("from 127.0.0.1")
  path.silence()
  const swallowed = failure(ask(it))
  const error = await swallowed
  expect([error.reason, error.processed]).toEqual(["Timeout", "maybe"])
  expect(error.message).toContain("pings")
  expect((await held).processed).toBe("yes")
  expect(await text(it)).toBe("from 127.0.0.1")
  expect(it.stats().opened).toBe(2)
})
