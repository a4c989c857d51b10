import type { connect } from "node:http2"
import { createRequire, syncBuiltinESMExports } from "node:module"
import { expect, test } from "vitest"
import { ask, defer, failure, fate, pool2, readAll, serveScript, sleep, text, until, verdict } from "../harness.ts"

for (const [name, code] of [
  ["CANCEL", 8],
  ["NO_ERROR", 0],
  ["INTERNAL_ERROR", 2]
] as const) {
  test(`HTTP/2: a body that RST_STREAM(${name}) cuts is an error, after the chunks before it`, async () => {
    const server = await serveScript({
      onRequest: (to, id) => {
        to.headers(id)
        to.data(id, "half")
        setTimeout(() => to.reset(id, code), 10)
      }
    })
    const { body } = await ask(pool2(server.origin))
    expect(Buffer.from((await body.read()) ?? "").toString()).toBe("half")
    expect(await verdict(body.read())).toBe("Connection, yes")
  })
}

test("HTTP/2: a reset before headers may have been processed", async () => {
  const server = await serveScript({ onRequest: (to, id) => to.reset(id, 8) })
  expect(await verdict(ask(pool2(server.origin)))).toBe("Connection, maybe")
})

test("HTTP/2: a reset with NO_ERROR after the end is an end, trailers are an end, and 1xx is no beginning", async () => {
  const server = await serveScript({
    onRequest: (to, id) => {
      to.headers(id, { status: 103 })
      if (id === 1) {
        to.respond(id, "whole")
        to.reset(id, 0)
      } else if (id === 3) {
        to.headers(id)
        to.data(id, "with trailers")
        to.trailers(id)
      } else to.headers(id, { end: true, status: 204 })
    }
  })
  const it = pool2(server.origin)
  expect(await text(it)).toBe("whole")
  expect(await text(it)).toBe("with trailers")
  const empty = await ask(it)
  expect(empty.status).toBe(204)
  expect(await empty.body.read()).toBeUndefined()
})

test("HTTP/2: REFUSED_STREAM for every second request, and all are answered", async () => {
  const server = await serveScript({
    onRequest: (to, id) => (to.requests % 2 === 1 ? to.reset(id, 7) : to.respond(id))
  })
  const it = pool2(server.origin)
  const all = await Promise.all(Array.from({ length: 20 }, () => text(it)))
  expect(all).toEqual(all.map(() => "ok"))
})

test("HTTP/2: a request that is always refused fails as not processed after 6 attempts", async () => {
  const server = await serveScript({ onRequest: (to, id) => to.reset(id, 7) })
  expect(await verdict(ask(pool2(server.origin)))).toBe("Connection, no")
  expect(server.requests).toBe(6)
})

test("HTTP/2: an abort sends CANCEL, for each of 300 in one tick", async () => {
  const server = await serveScript({ limit: 1_000, onRequest: (to, id) => to.headers(id) })
  const it = pool2(server.origin)
  const abort = new AbortController()
  const all = await Promise.all(Array.from({ length: 300 }, () => ask(it, { signal: abort.signal })))
  const reads = all.map((response) => verdict(response.body.read()))
  abort.abort()
  expect(new Set(await Promise.all(reads))).toEqual(new Set(["Aborted, maybe"]))
  await until(() => server.resets.length === 300)
  expect(new Set(server.resets.map((reset) => reset.code))).toEqual(new Set([8]))
  await until(() => it.stats().inFlight === 0)
})

test("HTTP/2: GOAWAY with a low id moves the rest to another session", async () => {
  const held: Array<number> = []
  const server = await serveScript({
    onRequest: (to, id) => {
      if (to.index > 1) return to.respond(id)
      if (held.push(id) < 20) return
      to.goaway(held[9] ?? 0)
      for (const one of held.slice(0, 10)) to.respond(one)
    }
  })
  const all = await Promise.all(Array.from({ length: 20 }, () => text(pool2Once(server.origin))))
  expect(all).toEqual(all.map(() => "ok"))
  expect(server.connections).toBe(2)
})

let shared: ReturnType<typeof pool2> | undefined
let sharedOrigin = ""
const pool2Once = (origin: string): ReturnType<typeof pool2> => {
  if (shared === undefined || sharedOrigin !== origin) shared = pool2(origin)
  sharedOrigin = origin
  return shared
}

test("HTTP/2: GOAWAY with an error and a low id: requests below it may have been processed, the rest is sent again", async () => {
  const held: Array<number> = []
  const server = await serveScript({
    onRequest: (to, id) => {
      if (to.index > 1) return to.respond(id)
      if (held.push(id) < 20) return
      to.goaway(held[9] ?? 0, 11)
      setTimeout(() => to.end(), 30)
    }
  })
  const it = pool2(server.origin)
  const all = await Promise.all(Array.from({ length: 20 }, () => fate(text(it))))
  expect(all.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "Connection, maybe"))
  expect(all.slice(10)).toEqual(Array.from({ length: 10 }, () => "ok"))
})

test("HTTP/2: GOAWAY on every connection fails as not processed, after few connections", async () => {
  const server = await serveScript({
    onRequest: (to) => {
      to.goaway(0)
      setTimeout(() => to.end(), 5)
    }
  })
  expect(await verdict(ask(pool2(server.origin)))).toBe("Connection, no")
  expect(server.connections).toBe(6)
})

const calm = "GOAWAY ENHANCE_YOUR_CALM (11): too_many_pings"

test("HTTP/2: a request that a GOAWAY ends has its reason, answered or not, processed or not", async () => {
  const before = await serveScript({ onRequest: (to, id) => to.goaway(id, 11, "too_many_pings") })
  const lost = await failure(ask(pool2(before.origin)))
  expect([lost.reason, lost.processed]).toEqual(["Connection", "maybe"])
  expect(lost.message).toBe(`the stream was closed before a response (HTTP/2 code 11), after ${calm}`)

  const unread = await serveScript({ onRequest: (to) => to.goaway(0, 11, "too_many_pings") })
  const refused = await failure(ask(pool2(unread.origin)))
  expect([refused.reason, refused.processed]).toEqual(["Connection", "no"])
  expect(refused.message).toContain(calm)

  const half = await serveScript({
    onRequest: (to, id) => {
      to.headers(id)
      to.data(id, "half")
      setTimeout(() => to.goaway(id, 11, "too_many_pings"), 10)
    }
  })
  const { body } = await ask(pool2(half.origin))
  const cut = await failure(readAll(body))
  expect([cut.reason, cut.processed]).toEqual(["Connection", "yes"])
  expect(cut.message).toContain(calm)
})

test("HTTP/2: the reason of a GOAWAY outlives the notice of shutdown that came before", async () => {
  const server = await serveScript({
    onRequest: (to, id) => {
      to.goaway(2 ** 31 - 1)
      to.goaway(id, 11, "too_many_pings")
    }
  })
  expect((await failure(ask(pool2(server.origin)))).message).toContain(calm)
})

for (const [code, told] of [
  // Code and text of Apache's mod_http2 when it restarts under POSTs.
  [2 ** 32 - 902, "GOAWAY -902: The user callback function failed; try `transport: { http2: false }`"],
  [13, "GOAWAY HTTP_1_1_REQUIRED (13): The user callback function failed; try `transport: { http2: false }`"]
] as const) {
  test(`HTTP/2: GOAWAY with code ${code} names the option to turn HTTP/2 off`, async () => {
    const server = await serveScript({
      onRequest: (to, id) => to.goaway(id, code, "The user callback function failed")
    })
    const error = await failure(ask(pool2(server.origin)))
    expect(error.message.endsWith(told)).toBe(true)
    const reset = await serveScript({ onRequest: (to, id) => to.reset(id, code) })
    expect((await failure(ask(pool2(reset.origin)))).message).toContain("; try `transport: { http2: false }`")
  })
}

test("HTTP/2: the reason of a GOAWAY is a line of printable text, with no word that may be a credential", async () => {
  const reason = Buffer.concat([
    Buffer.from([0xff, 0x1b]),
    Buffer.from("[2J\r\nforged \u202e Bearer gsk_CANARY0123456789 graceful_shutdown_now "),
    Buffer.from("x ".repeat(500))
  ])
  const server = await serveScript({ onRequest: (to, id) => to.goaway(id, 2, reason) })
  const { message } = await failure(ask(pool2(server.origin)))
  expect(message).toContain(
    "GOAWAY INTERNAL_ERROR (2): \ufffd\\u001b[2J\\r\\nforged \\u202e Bearer [hidden] graceful_shutdown_now x x"
  )
  expect(message.length).toBeLessThan(220)
})

test("HTTP/2: GOAWAY after every 100 requests loses none", async () => {
  const server = await serveScript({
    onRequest: (to, id) => {
      if (to.requests > 100) return
      setTimeout(() => to.respond(id), 5)
      if (to.requests < 100) return
      to.goaway(id)
      setTimeout(() => to.end(), 60)
    }
  })
  const it = pool2(server.origin)
  const all = await Promise.all(Array.from({ length: 500 }, () => text(it)))
  expect(all.every((body) => body === "ok")).toBe(true)
})

test("HTTP/2: a session destroyed with 10 sent and 40 waiting: 10 may have been processed, 40 are answered elsewhere", async () => {
  let held = 0
  const server = await serveScript({
    limit: 10,
    onRequest: (to, id) => {
      if (to.index > 1) return to.respond(id)
      if (++held === 10) setTimeout(() => to.destroy(), 20)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  const all = await Promise.all(Array.from({ length: 50 }, () => fate(text(it))))
  expect(all.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "Connection, maybe"))
  expect(all.slice(10)).toEqual(Array.from({ length: 40 }, () => "ok"))
})

test("HTTP/2: nothing is sent while the server allows no streams, and all once it does", async () => {
  const server = await serveScript({
    limit: 0,
    onOpen: (to) => void setTimeout(() => to.settings(100), 300),
    onRequest: (to, id) => to.respond(id)
  })
  const it = pool2(server.origin)
  const all = Promise.all(Array.from({ length: 50 }, () => text(it)))
  await sleep(150)
  expect(server.requests).toBe(0)
  expect((await all).every((body) => body === "ok")).toBe(true)
  expect(server.connections).toBe(1)
})

test("HTTP/2: a session that answers no pings is dropped, and its requests may have been processed", async () => {
  const server = await serveScript({
    onPing: (to, answer) => void (to.index === 1 ? 0 : answer()),
    onRequest: (to, id) => (to.index === 1 ? undefined : to.respond(id))
  })
  const it = pool2(server.origin, { pingInterval: 60 })
  expect(await verdict(ask(it))).toBe("Timeout, maybe")
  expect(await text(it)).toBe("ok")
  expect(server.connections).toBe(2)
})

test("HTTP/2: a session that answers pings stays, however long a response takes", async () => {
  const server = await serveScript({ onRequest: (to, id) => void setTimeout(() => to.respond(id), 400) })
  const it = pool2(server.origin, { pingInterval: 40 })
  expect(await text(it)).toBe("ok")
  expect(server.pings).toBeGreaterThan(2)
  const pings = server.pings
  await sleep(200)
  // An idle session is left in peace.
  expect(server.pings).toBeLessThanOrEqual(pings + 1)
})

test("HTTP/2: an idle session is closed after keepAlive", async () => {
  const server = await serveScript({ onRequest: (to, id) => to.respond(id) })
  const it = pool2(server.origin, { keepAlive: 80 })
  expect(await text(it)).toBe("ok")
  await until(() => it.stats().sockets === 0 && server.open === 0)
})

test("HTTP/2: no SETTINGS in time is a connection that never was", async () => {
  const server = await serveScript({ limit: undefined })
  const it = pool2(server.origin, { connectTimeout: 200 })
  expect(await verdict(ask(it))).toBe("Timeout, no")
  await until(() => server.open === 0 && it.stats().sockets === 0)
})

test("HTTP/2: a server that counts cancelled streams a little longer never sees more than it allows", async () => {
  const counted = new Set<number>()
  const held: Array<() => void> = []
  let most = 0
  let answers = false
  const server = await serveScript({
    limit: 100,
    onHeaders: (_, id) => {
      counted.add(id)
      most = Math.max(most, counted.size)
    },
    onReset: (_, id) => void setTimeout(() => counted.delete(id), 8),
    onRequest: (to, id) => {
      const answer = (): void => {
        if (!counted.delete(id)) return
        to.respond(id)
      }
      if (answers) answer()
      else held.push(answer)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  const abort = new AbortController()
  const outcomes = Array.from({ length: 150 }, (_, i) =>
    text(it, { signal: i < 30 ? abort.signal : undefined }).catch((error: Error & { reason: string }) => error.reason)
  )
  // All that it allows, until the first is cancelled.
  await until(() => counted.size === 100)
  abort.abort()
  await until(() => server.resets.length === 30)
  answers = true
  for (const answer of held) setTimeout(answer, 100)
  const all = await Promise.all(outcomes)
  expect(all.filter((one) => one === "ok")).toHaveLength(120)
  expect(all.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => "Aborted"))
  expect(most).toBe(100)
})

test("HTTP/2: a session is left before servers kill it for its resets", async () => {
  const perConnection: Array<number> = []
  const server = await serveScript({
    limit: 4_000,
    onOpen: () => void perConnection.push(0),
    onRequest: (to, id) => {
      perConnection[to.index - 1] = (perConnection[to.index - 1] ?? 0) + 1
      to.headers(id)
    }
  })
  const it = pool2(server.origin)
  for (let i = 0; i < 6; i++) {
    const all = await Promise.all(Array.from({ length: 150 }, () => ask(it)))
    for (const { body } of all) body.cancel()
  }
  await until(() => server.resets.length === 900)
  expect(server.connections).toBeGreaterThan(1)
  expect(Math.max(...perConnection)).toBeLessThanOrEqual(600)
  // The sessions that were left are closed.
  await until(() => server.open <= 1)
})

/** Internals of Node's sessions: the number that their next stream will have. */
interface Handle {
  readonly setNextStreamID: (id: number) => boolean
}

/** Handles of the sessions that are made from now on, until the test is over. */
const handles = (): ReadonlyArray<Handle> => {
  const node = createRequire(import.meta.url)("node:http2") as { connect: (...args: Array<never>) => unknown }
  const original = node.connect
  const all: Array<Handle> = []
  const put = (made: typeof original): void => {
    node.connect = made
    syncBuiltinESMExports()
  }
  put((...args) => {
    const session = original(...args) as ReturnType<typeof connect> & Record<symbol, Handle>
    const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === "kHandle")
    if (key !== undefined) all.push(session[key]!)
    return session
  })
  defer(() => put(original))
  return all
}

test("HTTP/2: a session whose numbers for streams are used up is left for another, and nothing is lost", async () => {
  const sessions = handles()
  const server = await serveScript({ onRequest: (to, id) => to.respond(id) })
  const it = pool2(server.origin)
  await text(it)
  expect(sessions[0]?.setNextStreamID(2 ** 31 - 5)).toBe(true)
  const all = await Promise.all(Array.from({ length: 30 }, () => text(it)))
  expect(all).toEqual(all.map(() => "ok"))
  expect([server.requests, server.connections]).toEqual([31, 2])
})
