import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import Groq from "groq-sdk"
import * as net from "node:net"
import OpenAI from "openai"
import { afterEach, expect, test, vi } from "vitest"
import { RequestError } from "../../src/ClientError.ts"
import * as CallContext from "../../src/internal/request/callContext.ts"
import * as Failure from "../../src/internal/request/errors/fromSdk.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import {
  ask,
  failure,
  pool,
  pool2,
  serveH2,
  serveScript,
  serveTcp,
  serveTls,
  sleep,
  text,
  timeouts,
  until,
  verdict
} from "./harness.ts"

vi.mock("../../src/internal/util/timers.ts", () => import("../support/globalTimers.ts"))

afterEach(() => {
  vi.restoreAllMocks()
})

const late = "it waited longer than queueTimeout for a socket"

/** So long that it never passes, and that nothing else takes as long. */
const patient = { ...timeouts, queue: 54_321 }
const impatient = { ...timeouts, queue: 40 }

/** The timers of queues that are set from now on, and whether each has been cleared. */
const watchTimers = () => {
  const set = vi.spyOn(globalThis, "setTimeout")
  const clear = vi.spyOn(globalThis, "clearTimeout")
  return () =>
    set.mock.calls.flatMap(([, ms], i) =>
      ms !== undefined && ms > 50_000 && ms <= patient.queue
        ? [{ ms, cleared: clear.mock.calls.some(([timer]) => timer === set.mock.results[i]?.value) }]
        : []
    )
}

interface Answer {
  readonly end: (text: string) => unknown
}
type Handler = (request: { readonly url?: string }, response: Answer) => void

/** A server that answers on command, one request at a time. */
const serveHeld = async (serve: (handler: Handler) => Promise<{ readonly origin: string; readonly total: number }>) => {
  const seen: Array<string | undefined> = []
  const held: Array<Answer> = []
  const server = await serve((request, response) => {
    seen.push(request.url)
    held.push(response)
  })
  return {
    server,
    seen,
    /** Lets the request go that is on the wire, which is the one at `path`. */
    release: async (path: string) => {
      await until(() => seen.at(-1) === path && held.length === 1)
      held.pop()?.end("ok")
    }
  }
}

for (const [name, serve] of [
  ["HTTP/1.1", (handler: Handler) => serveTls(handler as Parameters<typeof serveTls>[0])],
  [
    "HTTP/2",
    (handler: Handler) =>
      serveH2(handler as unknown as Parameters<typeof serveH2>[0], { settings: { maxConcurrentStreams: 1 } })
  ]
] as const) {
  const one = { maxConnections: 1, http2: name === "HTTP/2" }

  test(`${name}: a request that waits too long for the only socket fails unsent, without cost to others`, async () => {
    const { release, seen, server } = await serveHeld(serve)
    const it = pool(server.origin, one)
    const first = text(it, { path: "/first" })
    await until(() => seen.length === 1)
    const before = text(it, { path: "/before" })
    const began = performance.now()
    const second = failure(ask(it, { path: "/second", timeouts: impatient }))
    const after = text(it, { path: "/after", timeouts: patient })
    const error = await second
    // Timers may fire up to a millisecond early.
    expect(performance.now() - began).toBeGreaterThanOrEqual(impatient.queue - 1)
    expect([error.reason, error.processed, error.message]).toEqual(["QueueTimeout", "no", late])
    expect(it.stats()).toMatchObject({ sockets: 1, inFlight: 1, queued: 2 })
    for (const path of ["/first", "/before", "/after"]) await release(path)
    expect(await Promise.all([first, before, after])).toEqual(["ok", "ok", "ok"])
    expect(seen).toEqual(["/first", "/before", "/after"])
    expect(it.stats()).toMatchObject({ sockets: 1, inFlight: 0, queued: 0, opened: 1 })
  })

  test(`${name}: a sent request ceases to wait, and one sent at once has no timer for it`, async () => {
    const { release, seen, server } = await serveHeld(serve)
    const it = pool(server.origin, one)
    const timers = watchTimers()
    const first = text(it, { path: "/first", timeouts: patient })
    await until(() => seen.length === 1)
    const dialled = { ms: patient.queue, cleared: true }
    expect(timers()).toEqual([dialled])
    const second = text(it, { path: "/second", timeouts: patient })
    expect(timers()).toEqual([dialled, { ms: patient.queue, cleared: false }])
    await release("/first")
    await until(() => seen.length === 2)
    expect(timers()).toEqual([dialled, { ms: patient.queue, cleared: true }])
    await release("/second")
    expect(await Promise.all([first, second])).toEqual(["ok", "ok"])
    for (let i = 0; ; i++) {
      // The socket is free as soon as the stream has closed too, which nobody can see.
      await sleep(10)
      const before = timers().length
      const next = text(it, { path: `/${i}`, timeouts: patient })
      const atOnce = it.stats().queued === 0
      expect(timers()).toHaveLength(atOnce ? before : before + 1)
      await release(`/${i}`)
      expect(await next).toBe("ok")
      if (atOnce) return
      expect(i).toBeLessThan(100)
    }
  })

  test(`${name}: an abort or the pool's end during the wait settles at once, and clears the timer`, async () => {
    const { release, seen, server } = await serveHeld(serve)
    const it = pool(server.origin, one)
    const first = text(it, { path: "/first" })
    await until(() => seen.length === 1)
    const timers = watchTimers()
    const abort = new AbortController()
    const second = failure(ask(it, { path: "/second", signal: abort.signal, timeouts: patient }))
    const third = verdict(ask(it, { path: "/third", timeouts: patient }))
    const reason = new Error("changed my mind")
    abort.abort(reason)
    const error = await second
    expect([error.reason, error.processed, error.cause]).toEqual(["Aborted", "no", reason])
    expect(timers().map((timer) => timer.cleared)).toEqual([true, false])
    const closed = it.close(10_000)
    expect(await third).toBe("Closed, no")
    expect(timers().map((timer) => timer.cleared)).toEqual([true, true])
    await release("/first")
    expect(await first).toBe("ok")
    await closed
    expect(seen).toEqual(["/first"])
  })
}

test("waiting for a connection is waiting for a socket, and dials end with their last waiter", async () => {
  const silent = await serveTcp(net.createServer(() => undefined))
  const it = pool(silent.origin.replace("http", "https"), { connectTimeout: 10_000 })
  expect(await verdict(ask(it, { timeouts: impatient }))).toBe("QueueTimeout, no")
  await until(() => it.stats().sockets === 0)
  expect(it.stats()).toMatchObject({ inFlight: 0, queued: 0, opened: 1 })
})

test("with no time left to wait a request takes a free socket, and fails without one", async () => {
  const { release, seen, server } = await serveHeld((handler) => serveTls(handler as Parameters<typeof serveTls>[0]))
  const it = pool(server.origin, { maxConnections: 1 })
  for (const queue of [0, -5]) {
    const none = { ...timeouts, queue }
    const first = text(it, { path: `/first${queue}` })
    await release(`/first${queue}`)
    await first
    const second = text(it, { path: `/second${queue}`, timeouts: none })
    expect(await verdict(ask(it, { timeouts: none }))).toBe("QueueTimeout, no")
    await release(`/second${queue}`)
    expect(await second).toBe("ok")
  }
  expect(seen).toEqual(["/first0", "/second0", "/first-5", "/second-5"])
})

test("HTTP/2: a request refused unread keeps the rest of its queue time, its time with the server not counted", async () => {
  let came = 0
  const server = await serveScript({
    onRequest: (to, id) => {
      if (to.index > 1) return to.respond(id)
      came = performance.now()
      setTimeout(() => to.goaway(0), 150)
    }
  })
  const timers = watchTimers()
  const asked = performance.now()
  expect(await text(pool2(server.origin), { timeouts: patient })).toBe("ok")
  const [first, second, ...more] = timers()
  expect(more).toEqual([])
  expect(first).toEqual({ ms: patient.queue, cleared: true })
  expect(second?.cleared).toBe(true)
  expect(second?.ms).toBeLessThan(patient.queue)
  expect(patient.queue - (second?.ms ?? 0)).toBeLessThanOrEqual(came - asked)
})

test("HTTP/2: a request refused again and again waits no longer than it may", async () => {
  const server = await serveScript({
    onRequest: (to, id) => {
      // From now on the session is full, and there is no other.
      to.settings(0)
      setTimeout(() => to.reset(id, 7), 5)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  expect(await verdict(ask(it, { timeouts: { ...timeouts, queue: 200 } }))).toBe("QueueTimeout, no")
})

type Fails = () => Promise<never>
const place = { provider: "any", baseURL: "http://any.example" }

for (const [name, ask] of [
  ["openai", (fetch: Fails) => new OpenAI({ apiKey: "k", fetch, maxRetries: 0 }).models.list()],
  ["groq", (fetch: Fails) => new Groq({ apiKey: "k", fetch, maxRetries: 0 }).models.list()],
  [
    "cerebras",
    (fetch: Fails) => new Cerebras({ apiKey: "k", fetch, maxRetries: 0, warmTCPConnection: false }).models.list()
  ]
] as const) {
  test(`${name}: takes it for a timeout and may drop its cause, but ours reports the reason`, async () => {
    const failed = Failure.fromWire(place, new WireError("QueueTimeout", "no", late), 1)
    const call = CallContext.make(new AbortController().signal, undefined)
    call.failure = failed
    const fetch = () => Promise.reject(failed)
    const thrown = await Promise.resolve(ask(fetch)).catch((error: unknown) => error)
    const error = Failure.fromThrown(place, thrown, call)
    if (!(error instanceof RequestError)) throw error
    expect({ reason: error.reason, processed: error.processed, detail: error.detail }).toEqual({
      reason: "QueueTimeout",
      processed: "no",
      detail: late
    })
    expect(error.cause).toBe(thrown)
  })
}
