/**
 * Traps of node:http2 and its servers for a pool of sessions, each found by stepping into it. `docs/http2.md` lists
 * these traps with the tests that keep us out of them; here are those that have no home elsewhere.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as http2 from "node:http2"
import { join } from "node:path"
import { expect, test } from "vitest"
import { ask, failure, fate, pool, pool2, readAll, serveH2, serveScript, text, until, verdict } from "../harness.ts"

test("each trap that docs/http2.md lists names tests that exist", () => {
  const page = readFileSync("docs/http2.md", "utf8")
  const sources = readdirSync("test/transport", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join("test/transport", file), "utf8"))
    .join("\n")
  const traps = page.match(/^\d+\. .*(\n {3}.*)*/gm) ?? []
  expect(traps).toHaveLength(14)
  for (const trap of traps) {
    const titles = [...trap.matchAll(/^ {3}- ([^`].*)$/gm)].map(([, title]) => title)
    expect(titles, trap).not.toEqual([])
    for (const title of titles) expect(sources).toContain(title)
  }
})

test("HTTP/2: bodies that come in the same packet as their headers are not lost, for any of 500", async () => {
  const ids: Array<number> = []
  const server = await serveScript({
    limit: 1_000,
    onRequest: (to, id) => {
      if (ids.push(id) === 500) for (const one of ids) to.respond(one, `body ${one}`)
    }
  })
  const it = pool2(server.origin)
  const all = await Promise.all(Array.from({ length: 500 }, () => text(it)))
  expect(all.toSorted()).toEqual(ids.map((id) => `body ${id}`).toSorted())
})

test("HTTP/2: a session that is too old takes no new streams, and sends GOAWAY only when its last has ended", async () => {
  const events: Array<string> = []
  const held: Array<() => void> = []
  const server = await serveScript({
    onRequest: (to, id) => {
      events.push(`request on ${to.index}`)
      if (held.length === 2) return to.respond(id)
      to.headers(id)
      to.data(id, "first half, ")
      held.push(() => {
        events.push("the rest")
        to.data(id, "second half", true)
      })
    },
    onGoaway: (to) => void events.push(`GOAWAY on ${to.index}`)
  })
  const it = pool2(server.origin, { maxConnectionAge: 300 })
  const old = await Promise.all([ask(it), ask(it)])
  while (server.connections === 1) await text(it)
  for (const finish of held) finish()
  expect(await Promise.all(old.map(({ body }) => readAll(body)))).toEqual([
    "first half, second half",
    "first half, second half"
  ])
  await until(() => events.includes("GOAWAY on 1"))
  const first = events.filter((event) => !event.endsWith("on 2"))
  // Node says it twice.
  expect(first.indexOf("GOAWAY on 1")).toBeGreaterThan(first.lastIndexOf("the rest"))
  expect(first.lastIndexOf("request on 1")).toBeLessThan(first.indexOf("the rest"))
})

test("HTTP/2: a cancelled stream's place stays empty for a while, and a tenth of all places for good", async () => {
  const open = new Set<number>()
  const held = new Map<number, () => void>()
  const arrivals: Array<number> = []
  const server = await serveScript({
    limit: 10,
    onRequest: (to, id) => {
      arrivals.push(performance.now())
      open.add(id)
      held.set(id, () => {
        open.delete(id)
        to.respond(id)
      })
    },
    onReset: (_, id) => {
      open.delete(id)
      held.delete(id)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  const abort = new AbortController()
  const doomed = Array.from({ length: 5 }, () => failure(ask(it, { signal: abort.signal })))
  const others = Array.from({ length: 15 }, () => text(it))
  await until(() => open.size === 10)
  const at = performance.now()
  abort.abort()
  expect((await Promise.all(doomed)).map(({ reason }) => reason)).toEqual(Array(5).fill("Aborted"))
  await until(() => arrivals.length > 10)
  // Timers may be a trifle early.
  expect(arrivals[10]! - at).toBeGreaterThan(24)
  await until(() => open.size === 9)
  expect(it.stats()).toMatchObject({ inFlight: 9, queued: 6 })
  while (held.size > 0) {
    expect(open.size).toBeLessThanOrEqual(9)
    for (const [id, answer] of held) {
      held.delete(id)
      answer()
    }
    await until(() => held.size > 0 || it.stats().inFlight === 0)
  }
  expect(await Promise.all(others)).toEqual(Array(15).fill("ok"))
})

test("HTTP/2: nothing is handed to a session before its SETTINGS, nor more than they allow, nor is another opened meanwhile", async () => {
  const perConnection = new Map<number, number>()
  const waiting: Array<() => void> = []
  let settle: (() => void) | undefined
  const server = await serveScript({
    limit: undefined,
    onOpen: (to) => {
      if (to.index === 1) settle = () => to.settings(5)
      else to.settings(5)
    },
    onRequest: (to, id) => {
      perConnection.set(to.index, (perConnection.get(to.index) ?? 0) + 1)
      waiting.push(() => to.respond(id))
    }
  })
  const it = pool2(server.origin)
  const all = Array.from({ length: 20 }, () => text(it))
  await until(() => settle !== undefined)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(it.stats()).toMatchObject({ sockets: 1, inFlight: 0, queued: 20 })
  expect(server.requests).toBe(0)
  settle?.()
  await until(() => waiting.length === 20)
  expect([...perConnection.values()]).toEqual([5, 5, 5, 5])
  for (const answer of waiting) answer()
  expect(await Promise.all(all)).toEqual(all.map(() => "ok"))
  expect(server.connections).toBe(4)
})

test("HTTP/2: ENHANCE_YOUR_CALM for one stream may have been processed, and its session is left in peace for a while", async () => {
  let calm: number | undefined
  let next: number | undefined
  const server = await serveScript({
    onRequest: (to, id) => {
      if (id === 1) {
        calm = performance.now()
        return to.reset(id, 11)
      }
      next ??= performance.now()
      return to.respond(id)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  expect(await verdict(ask(it))).toBe("Connection, maybe")
  expect(await text(it)).toBe("ok")
  expect((next ?? 0) - (calm ?? Infinity)).toBeGreaterThan(40)
  expect(server.connections).toBe(1)
})

test("HTTP/2: the headers of a response are fit for a Response, whose body is read from its stream", async () => {
  const server = await serveH2((_, response) => {
    response.setHeader("x-request-id", "7")
    response.setHeader("set-cookie", ["a=1", "b=2"])
    response.end("ok")
  })
  const { body, headers, status } = await ask(pool(server.origin))
  const response = new Response(await readAll(body), { status, headers: headers.map(([name, value]) => [name, value]) })
  expect([response.headers.get("x-request-id"), response.headers.getSetCookie()]).toEqual(["7", ["a=1", "b=2"]])
  expect(await response.text()).toBe("ok")
})

/** All that RFC 9113 names, and one that it does not. */
const codes = [...Array(14).keys(), 0xdead]

test("HTTP/2: RST_STREAM before headers may have been processed, whatever its code, save REFUSED_STREAM", async () => {
  const server = await serveScript({
    onRequest: (to, id) => (to.requests <= codes.length ? to.reset(id, codes[to.requests - 1]!) : to.respond(id))
  })
  const it = pool2(server.origin, { circuitFailures: 0 })
  const verdicts: Array<string> = []
  for (const _ of codes) verdicts.push(await fate(text(it)))
  const { NGHTTP2_REFUSED_STREAM } = http2.constants
  // The refused one is sent again, and in the place of the next code's: one verdict less at the end.
  const expected = codes.filter((code) => code !== NGHTTP2_REFUSED_STREAM).map(() => "Connection, maybe")
  expect(verdicts).toEqual([...expected, "ok"])
})

test("HTTP/2: RST_STREAM in mid body is an error, whatever its code, and nothing is sent again", async () => {
  const server = await serveScript({
    onRequest: (to, id) => {
      to.headers(id)
      to.data(id, "half")
      to.reset(id, codes[to.requests - 1]!)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  for (const code of codes) expect([code, await verdict(text(it))]).toEqual([code, "Connection, yes"])
  expect([server.requests, server.connections]).toEqual([codes.length, 1])
})

test("HTTP/2: a shutdown in two GOAWAYs, first of every id and then of the last one read, loses nothing", async () => {
  const ids: Array<number> = []
  const server = await serveScript({
    onRequest: (to, id) => {
      if (to.index > 1) return to.respond(id, "elsewhere")
      if (ids.push(id) !== 10) return undefined
      to.goaway(2 ** 31 - 1)
      return setTimeout(() => {
        to.goaway(ids[4]!)
        for (const one of ids.slice(0, 5)) to.respond(one, "here")
      }, 50)
    }
  })
  const it = pool2(server.origin)
  const all = Array.from({ length: 10 }, () => text(it))
  await until(() => ids.length === 10)
  await new Promise((resolve) => setTimeout(resolve, 20))
  const later = text(it)
  const bodies = await Promise.all([...all, later])
  expect(bodies).toEqual([...Array(5).fill("here"), ...Array(6).fill("elsewhere")])
})

test("HTTP/2: a request to a server that allows no streams waits as long as it may, and is unsent", async () => {
  let allow: (() => void) | undefined
  const server = await serveScript({
    limit: 0,
    onRequest: (to, id) => to.respond(id),
    onOpen: (to) => void (allow = () => to.settings(10))
  })
  const it = pool2(server.origin)
  const patient = text(it)
  const error = await failure(ask(it, { timeouts: { queue: 100, headers: 1_000, body: 1_000 } }))
  expect([error.reason, error.processed]).toEqual(["QueueTimeout", "no"])
  expect(server.requests).toBe(0)
  allow?.()
  expect(await patient).toBe("ok")
  expect([server.requests, server.connections]).toEqual([1, 1])
})

test("HTTP/2: responses are read however many bytes wait to be sent on their session", async () => {
  const ids: Array<number> = []
  const count = 1_200
  const server = await serveScript({
    limit: 2_000,
    onHeaders: (to, id) => {
      if (ids.push(id) === count) for (const one of ids) to.respond(one)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1, maxQueueBytes: Infinity })
  // More than a gigabyte together, of which each takes no more than its window.
  const body = Buffer.alloc(1_000_000)
  const all = await Promise.all(Array.from({ length: count }, () => text(it, { method: "POST", body })))
  expect(all).toEqual(all.map(() => "ok"))
})

test("HTTP/2: frames of data without any, which some servers send with each answer, end no session", async () => {
  const server = await serveScript({
    onRequest: (to, id) => {
      to.headers(id)
      for (let i = 0; i < 10; i++) to.data(id, "")
      to.data(id, "ok", true)
    }
  })
  const it = pool2(server.origin)
  for (let i = 0; i < 10; i++) {
    const all = await Promise.all(Array.from({ length: 50 }, () => text(it)))
    expect(all).toEqual(all.map(() => "ok"))
  }
  expect(server.connections).toBe(1)
})
