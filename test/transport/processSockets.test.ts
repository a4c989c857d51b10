import * as net from "node:net"
import { expect, test } from "vitest"
import type { Starved } from "../../src/internal/transport/options.ts"
import type { WirePool } from "../../src/internal/http/types.ts"
import { layerSockets } from "../../src/internal/transport/processSockets.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import { ask, failure, pool, serveH1, serveH2, serveTcp, text, until, verdict } from "./harness.ts"

test("40 origins with 100 requests each all finish under one budget of 16 sockets", async () => {
  let peak = 0
  const budget = new SocketBudget(16)
  const pools: Array<WirePool> = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const server = await serveTcp(
        net.createServer((socket) => {
          // Counted here, because the server sees a socket's end later than the client.
          peak = Math.max(
            peak,
            pools.reduce((sum, it) => sum + it.stats().sockets, 0)
          )
          socket.on("error", () => undefined)
          socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        })
      )
      return pool(server.origin, { budget })
    })
  )
  const all = await Promise.all(pools.flatMap((it) => Array.from({ length: 100 }, () => text(it))))
  expect(all).toHaveLength(4_000)
  expect(peak).toBe(16)
  expect(budget.held()).toBeLessThanOrEqual(16)
})

test("a pool whose queue never empties gives others their turn", async () => {
  const budget = new SocketBudget(2)
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 5))
  const greedy = pool(server.origin, { budget })
  const load = { on: true }
  const loops = Array.from({ length: 10 }, async () => {
    while (load.on) await text(greedy)
  })
  await until(() => budget.held() === 2)
  const others = await Promise.all(Array.from({ length: 4 }, () => serveH1((_, response) => response.end("ok"))))
  const answers = await Promise.all(others.map((other) => text(pool(other.origin, { budget }))))
  expect(answers).toEqual(["ok", "ok", "ok", "ok"])
  load.on = false
  await Promise.all(loops)
})

test("a pool that waits for the budget and whose requests are aborted passes its turn", async () => {
  const budget = new SocketBudget(1)
  let free: (() => void) | undefined
  const busy = await serveH1((_, response) => {
    free = () => response.end("ok")
  })
  const other = await serveH1((_, response) => response.end("ok"))
  const first = pool(busy.origin, { budget })
  const held = text(first)
  await until(() => free !== undefined)
  const abort = new AbortController()
  const second = pool(other.origin, { budget })
  const gone = failure(ask(second, { signal: abort.signal }))
  const third = pool(other.origin, { budget })
  const waiting = text(third)
  abort.abort(new Error("never mind"))
  expect((await gone).processed).toBe("no")
  free?.()
  expect(await held).toBe("ok")
  expect(await waiting).toBe("ok")
  expect(second.stats().opened).toBe(0)
})

test("a pool that has left the budget's queue takes no socket from others", async () => {
  const budget = new SocketBudget(1)
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 50))
  const first = pool(server.origin, { budget })
  const held = text(first)
  await until(() => first.stats().inFlight === 1)
  const abort = new AbortController()
  const gone = failure(ask(pool(server.origin, { budget }), { signal: abort.signal }))
  abort.abort()
  await gone
  expect(await held).toBe("ok")
  expect(await text(first)).toBe("ok")
  expect(first.stats().opened).toBe(1)
})

test("an idle socket of another pool closes when the budget is used up", async () => {
  const budget = new SocketBudget(2)
  const server = await serveH1((_, response) => response.end("ok"))
  const second = await serveH2((_, response) => response.end("ok"))
  const oldest = pool(server.origin, { budget })
  const newer = pool(second.origin, { budget })
  await text(oldest)
  await text(newer)
  expect(await text(pool(server.origin, { budget }))).toBe("ok")
  expect(oldest.stats().sockets).toBe(0)
  expect(newer.stats().sockets).toBe(1)
  expect(budget.held()).toBe(2)
  expect(await text(pool(server.origin, { budget }))).toBe("ok")
  expect(newer.stats().sockets).toBe(0)
})

test("a long wait at a bound is reported once, with the bound's name", async () => {
  const told: Array<Starved> = []
  const onStarved = (info: Starved) => void told.push(info)
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 300))
  const budget = new SocketBudget(2)
  const it = pool(server.origin, { maxConnections: 1, starvedAfter: 100, onStarved, budget })
  const other = pool(server.origin, { starvedAfter: 100, onStarved, budget })
  await Promise.all(Array.from({ length: 4 }, () => text(it)))
  expect(told).toHaveLength(1)
  expect(told[0]).toMatchObject({ bound: "maxConnections", limit: 1, origin: server.origin })
  expect(told[0]?.queued).toBeGreaterThan(0)
  await Promise.all(Array.from({ length: 4 }, () => text(other)))
  expect(told).toHaveLength(2)
  expect(told[1]).toMatchObject({ bound: "maxSockets", limit: 2 })
})

test("a pool that waits for the process's bound reports that, and not its own", async () => {
  const told: Array<Starved> = []
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 300))
  const parent = new SocketBudget(1)
  const busy = pool(server.origin, { budget: new SocketBudget(10, parent) })
  const waits = pool(server.origin, {
    budget: new SocketBudget(10, parent),
    starvedAfter: 100,
    onStarved: (info: Starved) => void told.push(info)
  })
  await Promise.all([text(busy), text(waits)])
  expect(told).toHaveLength(1)
  expect(told[0]).toMatchObject({ bound: "process", limit: 0 })
})

test("a bound that has been lowered below what is used has no room, and not less", () => {
  const budget = new SocketBudget(2)
  const user = { held: () => 2, idleSince: () => undefined, closeIdle: () => undefined, offer: () => false }
  expect([budget.take(user), budget.take(user)]).toEqual([true, true])
  budget.resize(1)
  expect(budget.room()).toBe(0)
})

test("a slow connection alone is not reported", async () => {
  const told: Array<Starved> = []
  const silent = await serveTcp(net.createServer(() => undefined))
  const it = pool(silent.origin.replace("http", "https"), {
    maxConnections: 1,
    starvedAfter: 50,
    connectTimeout: 400,
    onStarved: (info) => void told.push(info)
  })
  expect(await verdict(ask(it))).toBe("Timeout, no")
  expect(told).toEqual([])
})

/** A layer's bound within another's. */
const layers = (most: number, ...own: ReadonlyArray<number>): ReadonlyArray<SocketBudget> => {
  const thread = new SocketBudget(most)
  return own.map((maxSockets) => new SocketBudget(maxSockets, thread))
}

test("layers within one bound share its places, whatever their own bounds are", async () => {
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 5))
  const pools = layers(8, 6, 6, 2).map((budget) => pool(server.origin, { budget }))
  const answers = await Promise.all(pools.flatMap((it) => Array.from({ length: 100 }, () => text(it))))
  expect(new Set(answers)).toEqual(new Set(["ok"]))
  expect(server.peak).toBe(8)
})

test("a layer whose queue never empties gives another layer its turn", async () => {
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 5))
  const [first, second] = layers(4, 4, 4).map((budget) => pool(server.origin, { budget }))
  const load = { on: true }
  const loops = Array.from({ length: 20 }, async () => {
    while (load.on) await text(first!)
  })
  await until(() => first!.stats().sockets === 4)
  const held = Array.from({ length: 20 }, () => text(second!))
  await until(() => second!.stats().sockets === 2)
  expect(await Promise.all(held)).toEqual(held.map(() => "ok"))
  load.on = false
  await Promise.all(loops)
})

test("an idle socket of another layer closes when the bound of all is used up", async () => {
  const server = await serveH1((_, response) => response.end("ok"))
  const [first, second] = layers(1, 1, 1).map((budget) => pool(server.origin, { budget }))
  expect(await text(first!)).toBe("ok")
  expect(await text(second!)).toBe("ok")
  expect([first!.stats().sockets, second!.stats().sockets]).toEqual([0, 1])
})

test("a waiting layer whose requests are aborted passes its turn to another", async () => {
  let free: (() => void) | undefined
  const busy = await serveH1((_, response) => {
    free = () => response.end("ok")
  })
  const other = await serveH1((_, response) => response.end("ok"))
  const [first, second, third] = layers(1, 1, 1, 1)
  const held = text(pool(busy.origin, { budget: first! }))
  await until(() => free !== undefined)
  const abort = new AbortController()
  const gone = failure(ask(pool(other.origin, { budget: second! }), { signal: abort.signal }))
  const waiting = text(pool(other.origin, { budget: third! }))
  abort.abort()
  expect((await gone).processed).toBe("no")
  free?.()
  expect([await held, await waiting]).toEqual(["ok", "ok"])
  expect(second!.held()).toBe(0)
})

test("copies of the package share one bound, and explicit maxSockets add to it while their layers are open", () => {
  const key = Symbol.for("clientele/sockets@1")
  const [one, other] = [layerSockets(undefined), layerSockets(undefined)]
  const registered = (globalThis as Record<symbol, { readonly places: { readonly room: () => number } } | undefined>)[
    key
  ]
  const most = registered!.places.room()
  expect([one.budget.room(), other.budget.room()]).toEqual([most, most])
  const large = [layerSockets(most), layerSockets(most)]
  expect(registered!.places.room()).toBe(2 * most)
  expect(large[0]!.budget.room()).toBe(most)
  for (const { close } of large) close()
  expect(registered!.places.room()).toBe(most)
})
