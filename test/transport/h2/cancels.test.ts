import { expect, test, vi } from "vitest"
import { Cancels } from "../../../src/internal/transport/h2/cancels.ts"
import { ask, failure, pool2, serveScript, sleep, text, until } from "../harness.ts"

vi.mock("../../../src/internal/util/timers.ts", () => import("../../support/globalTimers.ts"))

test("400 resets at once are borne, the next is one too many, and 20 a second are forgotten", () => {
  const cancels = new Cancels({ probe: () => undefined, freed: () => undefined })
  expect(cancels.within(100)).toBe(100)
  for (let i = 0; i < 400; i++) expect(cancels.reset(1_000)).toBe(false)
  expect(cancels.reset(1_000)).toBe(true)
  expect(cancels.reset(1_100)).toBe(false)
  expect(cancels.reset(1_101)).toBe(true)
  expect(cancels.within(100)).toBe(90)
})

test("places are held until the answer to a ping, and then for as long as that took and 25 ms", () => {
  vi.useFakeTimers()
  try {
    const pongs: Array<(took: number) => void> = []
    const cancels = new Cancels({ probe: (pong) => void pongs.push(pong), freed: () => undefined })
    const close = (count: number) => {
      for (let i = 0; i < count; i++) cancels.closed()
      vi.advanceTimersByTime(0)
    }
    /** Places held just before so many ms have passed, and then. */
    const around = (ms: number) => {
      vi.advanceTimersByTime(ms - 1)
      const before = cancels.held
      vi.advanceTimersByTime(1)
      return [before, cancels.held]
    }
    // One ping for all that are closed at once, and no end without its answer.
    close(3)
    expect(around(60_000)).toEqual([3, 3])
    expect(pongs).toHaveLength(1)
    pongs[0]?.(40)
    expect(around(65)).toEqual([3, 0])
    // The server has sent nothing since, so it is not asked again, but given time.
    close(2)
    expect(around(1_000)).toEqual([2, 0])
    expect(pongs).toHaveLength(1)
    // As soon as it sends an answer it is asked.
    close(2)
    expect(pongs).toHaveLength(1)
    cancels.heard()
    expect(pongs).toHaveLength(2)
    // A close while a ping is out gets a ping of its own; an answer that took an hour is no reason to wait for one.
    cancels.heard()
    close(1)
    expect(pongs).toHaveLength(2)
    pongs[1]?.(3_600_000)
    expect(pongs).toHaveLength(3)
    expect(around(1_025)).toEqual([3, 1])
    pongs[2]?.(0)
    expect(around(25)).toEqual([1, 0])
  } finally {
    vi.useRealTimers()
  }
})

test("HTTP/2: a busy server gets nothing in a cancelled stream's place before it has read the reset", async () => {
  const seen: Array<string> = []
  let answer: (() => void) | undefined
  const server = await serveScript({
    limit: 2,
    onPing: (_, pong) => {
      seen.push("ping")
      answer = pong
    },
    onReset: () => void seen.push("reset"),
    onRequest: (to, id) => {
      seen.push("request")
      if (id > 3) to.respond(id)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  const abort = new AbortController()
  const both = [1, 2].map(() => failure(ask(it, { signal: abort.signal })))
  await until(() => server.requests === 2)
  const waiting = text(it)
  abort.abort()
  await Promise.all(both)
  await until(() => answer !== undefined)
  await sleep(100)
  expect(seen.filter((one) => one === "request")).toHaveLength(2)
  // The ping came after the reset that it is about.
  expect(seen.indexOf("ping")).toBeGreaterThan(seen.indexOf("reset"))
  answer?.()
  expect(await waiting).toBe("ok")
  expect(server.pings).toBe(1)
})

test("HTTP/2: a server gets another ping about resets only when it has sent a response meanwhile", async () => {
  const asked: Array<number> = []
  const server = await serveScript({
    onRequest: (to, id) => {
      asked.push(server.pings)
      // The second and the third are left to be cancelled.
      if (to.requests === 1 || to.requests === 4) to.respond(id)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  const cancelled = async (): Promise<void> => {
    const abort = new AbortController()
    const before = server.requests
    const gone = failure(ask(it, { signal: abort.signal }))
    await until(() => server.requests > before)
    abort.abort()
    await gone
  }
  expect(await text(it)).toBe("ok")
  await cancelled()
  await until(() => server.pings === 1)
  await cancelled()
  await until(() => server.resets.length === 2)
  expect(await text(it)).toBe("ok")
  expect(asked).toEqual([0, 0, 1, 1])
  await until(() => server.pings === 2)
})

test("HTTP/2: a server that goes silent while it holds nothing but cancelled streams is left all the same", async () => {
  const server = await serveScript({
    limit: 1,
    onPing: (to, pong) => (to.index > 1 ? pong() : undefined),
    onRequest: (to, id) => (to.index > 1 ? to.respond(id) : undefined)
  })
  const it = pool2(server.origin, { maxConnections: 1, pingInterval: 100 })
  const abort = new AbortController()
  const gone = failure(ask(it, { signal: abort.signal }))
  await until(() => server.requests === 1)
  const waiting = text(it)
  abort.abort()
  await gone
  expect(await waiting).toBe("ok")
  expect(server.connections).toBe(2)
})
