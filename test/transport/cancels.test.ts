import { expect, test, vi } from "vitest"
import { Cancels } from "../../src/internal/transport/cancels.ts"
import { ask, failure, pool2, serveScript, sleep, text, until } from "./harness.ts"

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
    let freed = 0
    const cancels = new Cancels({ probe: (pong) => void pongs.push(pong), freed: () => void freed++ })
    const closed = (count: number) => Array.from({ length: count }, () => cancels.closed())
    closed(3)
    vi.advanceTimersByTime(60_000)
    // The first is on its own: the others came after its ping had gone.
    expect([cancels.held, pongs.length, freed]).toEqual([3, 1, 0])
    pongs[0]?.(40)
    // The server has sent nothing since, so it is not pinged again.
    expect(pongs).toHaveLength(1)
    vi.advanceTimersByTime(64)
    expect([cancels.held, freed]).toEqual([3, 0])
    vi.advanceTimersByTime(1)
    expect(cancels.held).toBe(0)
    cancels.heard()
    closed(2)
    expect([cancels.held, pongs.length]).toEqual([2, 2])
    cancels.heard()
    pongs[1]?.(3_600_000)
    // What came after the second ping has one of its own.
    expect([cancels.held, pongs.length]).toEqual([2, 3])
    vi.advanceTimersByTime(1_024)
    expect(cancels.held).toBe(2)
    vi.advanceTimersByTime(1)
    expect(cancels.held).toBe(1)
    pongs[2]?.(0)
    vi.advanceTimersByTime(25)
    expect(cancels.held).toBe(0)
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

test("HTTP/2: a server is asked again whether it has read a reset only when it has sent an answer meanwhile", async () => {
  const server = await serveScript({ onRequest: (to, id) => (to.requests % 4 < 2 ? to.respond(id) : undefined) })
  const it = pool2(server.origin, { maxConnections: 1 })
  const cancelled = async (): Promise<void> => {
    const abort = new AbortController()
    const before = server.requests
    const gone = failure(ask(it, { signal: abort.signal }))
    await until(() => server.requests > before)
    abort.abort()
    await gone
  }
  const pings: Array<number> = []
  for (let round = 0; round < 2; round++) {
    expect(await text(it)).toBe("ok")
    await cancelled()
    await until(() => server.pings === round + 1)
    await cancelled()
    expect(await text(it)).toBe("ok")
    pings.push(server.pings)
  }
  expect(pings).toEqual([1, 2])
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
