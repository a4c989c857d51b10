/** Which lane is next, and which is retired because its backend fails. */
import { expect, test, vi } from "vitest"
import type { Connection } from "../../src/internal/transport/connection.ts"
import { Roster } from "../../src/internal/transport/roster.ts"
import type { WireRequest } from "../../src/internal/http/types.ts"
import { ask, defer, pool2, serveScript, sleep, timeouts, until } from "./harness.ts"

vi.mock("../../src/internal/util/timers.ts", () => import("../support/globalTimers.ts"))

const lane = (): Connection => ({
  protocol: "http/1.1",
  openedAt: 0,
  expiresAt: Infinity,
  active: 0,
  idleSince: 0,
  failures: 0,
  goodBefore: 0,
  room: () => 1,
  send: () => true,
  retire: () => undefined,
  destroy: () => undefined,
  exchanges: () => [],
  tick: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  abort: () => undefined
})

const request = (): WireRequest => ({
  method: "GET",
  path: "/",
  headers: {},
  body: undefined,
  about: { model: "", asksForEvents: () => false },
  signal: undefined,
  timeouts
})

const rosterOf = (...lanes: ReadonlyArray<Connection>): Roster => {
  const roster = new Roster()
  for (const one of lanes) roster.add(one)
  return roster
}

test("the idle lane used last goes first, and one that fails goes last until it does well", () => {
  const [a, b, c] = [lane(), lane(), lane()]
  const roster = rosterOf(a, b, c)
  roster.answered(c, request(), 503)
  for (const one of [a, b, c]) roster.idle(one)
  expect([1, 2, 3, 4].map(() => roster.pick(request()))).toEqual([b, a, c, undefined])
  roster.answered(c, request(), 200)
  for (const one of [a, b, c]) roster.idle(one)
  expect(roster.pick(request())).toBe(c)
})

test("all of 500, 502, 503, 504 and 529 are failures of a backend, and no other status is", () => {
  const one = lane()
  const roster = rosterOf(one)
  for (const status of [500, 502, 503, 504, 529]) roster.answered(one, request(), status)
  expect(one.failures).toBe(5)
  for (const status of [200, 302, 400, 401, 404, 408, 429, 501]) {
    roster.answered(one, request(), 503)
    roster.answered(one, request(), status)
    expect(one.failures).toBe(0)
  }
})

test("a retry takes another idle lane than the one that it failed on, and that one where there is no other", () => {
  const [a, b] = [lane(), lane()]
  const roster = rosterOf(a, b)
  const failed = request()
  roster.failed(a, failed)
  roster.idle(b)
  roster.idle(a)
  expect(roster.pick(failed)).toBe(b)
  expect(roster.pick(failed)).toBe(a)
  roster.idle(b)
  roster.idle(a)
  expect(roster.pick(request())).toBe(a)
})

test("a lane is due after three failures in a row, and not after a good answer between them", () => {
  const one = lane()
  const roster = rosterOf(one)
  expect([503, 503, 200, 503, 503, 503].map((status) => roster.answered(one, request(), status))).toEqual([
    false,
    false,
    false,
    false,
    false,
    true
  ])
  roster.remove(one)
  expect(roster.answered(one, request(), 503)).toBe(false)
})

test("ten lanes a second are retired while another does better, and one while none does", () => {
  vi.useFakeTimers({ toFake: ["performance"] })
  defer(() => vi.useRealTimers())
  const [good, bad] = [lane(), lane()]
  const roster = rosterOf(good, bad)
  for (let i = 0; i < 3; i++) roster.answered(bad, request(), 503)
  const allowed = (n: number) => Array.from({ length: n }, () => roster.mayRetire(bad)).filter(Boolean).length
  expect(roster.rest(bad)).toBe(0)
  expect(allowed(20)).toBe(1)
  roster.answered(good, request(), 200)
  expect(allowed(20)).toBe(10)
  vi.advanceTimersByTime(500)
  expect(allowed(20)).toBe(5)
  vi.advanceTimersByTime(10_000)
  expect(allowed(20)).toBe(10)
})

test("a failing lane that may not be retired yet rests the longer the more it fails, while another does better", () => {
  const [good, bad] = [lane(), lane()]
  const roster = rosterOf(good, bad)
  const rests: Array<number> = []
  for (let i = 0; i < 8; i++) {
    roster.answered(bad, request(), 503)
    roster.answered(good, request(), 200)
    rests.push(roster.rest(bad))
  }
  expect(rests).toEqual([0, 0, 100, 200, 400, 800, 1_000, 1_000])
  expect(roster.rest(good)).toBe(0)
})

test("HTTP/2: a retry takes another session than the one that it failed on", async () => {
  const held: Array<() => void> = []
  const server = await serveScript({
    limit: 1,
    onRequest: (to, id) => {
      const answer = () => to.headers(id, { status: 503, end: true, fields: [["x-connection", String(to.index)]] })
      if (held.length < 2) held.push(answer)
      else answer()
    }
  })
  const it = pool2(server.origin, { maxConnections: 2 })
  const both = [ask(it), ask(it)]
  await until(() => held.length === 2)
  for (const answer of held) answer()
  await Promise.all(both)
  await sleep(30)
  const { about } = request()
  const connections: Array<string | undefined> = []
  for (let i = 0; i < 2; i++) {
    const { headers } = await ask(it, { about })
    connections.push(headers.find(([name]) => name === "x-connection")?.[1])
    // The stream has closed too, so that its session has room.
    await sleep(30)
  }
  expect(connections.toSorted()).toEqual(["1", "2"])
})
