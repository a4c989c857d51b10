import { AsyncLocalStorage } from "node:async_hooks"
import { describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, question, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" }, code: "socket" },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true }, code: 8 }
] as const

for (const subject of subjects) {
  for (const road of roads) {
    describe.concurrent(`interrupting ${subject.name} over ${road.name}`, () => {
      it.live("before the headers: settles, the server sees it, no neighbour fails", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ ...road.sandbox, latency: 1_500 })
          const config = yield* subject.config(sandbox)
          const neighbour = yield* Effect.fork(subject.ask(config))
          const agent = yield* Effect.fork(
            // A callback that ignores its signal, and makes its promise with something else in between.
            subject.use(config, async (client) => {
              await Promise.resolve()
              return ask(client)
            })
          )
          yield* eventually(
            Effect.sync(() => sandbox.stats().inFlight),
            (inFlight) => inFlight === 2
          )
          const exit = yield* Fiber.interrupt(agent)
          assert.isTrue(Exit.isInterrupted(exit))
          yield* eventually(
            Effect.sync(() => sandbox.stats().aborts),
            (aborts) => aborts === 1
          )
          assert.deepStrictEqual([...sandbox.stats().abortCodes], [[road.code, 1]])
          assert.notStrictEqual(yield* Fiber.join(neighbour), "")
          yield* nothingLeft(sandbox)
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live("in mid-stream: settles, the server sees it, no neighbour fails", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ ...road.sandbox, timePerToken: 100, tokens: 30 })
          const config = yield* subject.config(sandbox)
          const started = yield* Deferred.make<void>()
          const neighbour = yield* Effect.fork(Stream.runCollect(subject.stream(config)))
          const agent = yield* Effect.fork(
            Stream.runForEach(subject.stream(config), () => Deferred.succeed(started, undefined))
          )
          yield* Deferred.await(started)
          yield* Fiber.interrupt(agent)
          yield* eventually(
            Effect.sync(() => sandbox.stats().aborts),
            (aborts) => aborts === 1
          )
          assert.deepStrictEqual([...sandbox.stats().abortCodes], [[road.code, 1]])
          assert.strictEqual(Chunk.size(yield* Fiber.join(neighbour)), 30)
          yield* nothingLeft(sandbox)
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live("in a stream that has stalled: settles, and the server sees it although no chunk comes", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(road.sandbox)
          sandbox.faults.push({ fault: { type: "stall", at: "body", afterBytes: 1_000 } })
          const config = yield* subject.config(sandbox)
          const started = yield* Deferred.make<void>()
          const agent = yield* Effect.fork(
            Stream.runForEach(subject.stream(config), () => Deferred.succeed(started, undefined))
          )
          yield* Deferred.await(started)
          // By now it waits for a chunk that never comes.
          yield* Effect.sleep(50)
          yield* Fiber.interrupt(agent)
          yield* eventually(
            Effect.sync(() => sandbox.stats().aborts),
            (aborts) => aborts === 1
          )
          assert.deepStrictEqual([...sandbox.stats().abortCodes], [[road.code, 1]])
          yield* nothingLeft(sandbox)
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live("a consumer that has enough ends the request", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ ...road.sandbox, timePerToken: 20, tokens: 200 })
          const config = yield* subject.config(sandbox)
          const some = yield* Stream.runCollect(Stream.take(subject.stream(config), 3))
          assert.strictEqual(Chunk.size(some), 3)
          yield* eventually(
            Effect.sync(() => sandbox.stats().aborts),
            (aborts) => aborts === 1
          )
          yield* nothingLeft(sandbox)
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live("while it waits for a socket: settles, and nothing was sent", () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ ...road.sandbox, latency: 1_500, maxStreams: 1 })
          const config = yield* subject.config(sandbox, { transport: { maxConnections: 1 } })
          const first = yield* Effect.fork(subject.ask(config))
          yield* eventually(
            Effect.sync(() => sandbox.stats().inFlight),
            (inFlight) => inFlight === 1
          )
          const waiting = yield* Effect.fork(subject.ask(config))
          yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.queued === 1)
          yield* Fiber.interrupt(waiting)
          assert.strictEqual((yield* ClientMap.stats).clients[0]!.queued, 0)
          yield* Fiber.join(first)
          assert.strictEqual(sandbox.stats().requests, 1)
          yield* nothingLeft(sandbox)
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )
    })
  }
}

/** No request under way on either side, no lease, and the layer's sockets idle. */
const nothingLeft = (sandbox: Sandbox.Sandbox) =>
  eventually(
    Effect.map(ClientMap.stats, ({ clients }) => ({
      server: sandbox.stats().inFlight,
      inFlight: clients.map((client) => client.inFlight),
      leases: clients.map((client) => client.leases)
    })),
    ({ inFlight, leases, server }) => server === 0 && [...inFlight, ...leases].every((count) => count === 0)
  )

describe("remains of an interrupted or finished agent", () => {
  for (const road of roads) {
    it.live(`over ${road.name}: the fiber whose request opened a socket can be collected while the socket lives`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make(road.sandbox)
        const [subject] = subjects
        const config = yield* subject!.config(sandbox)
        const context = yield* Effect.context<ClientMap.ClientMap>()
        // A `get` of a client that is built already does not wait for it, and stays in its own async context.
        yield* subject!.get(config)
        // In an async context that leads to the fiber: whatever keeps that context keeps the fiber as well.
        const storage = new AsyncLocalStorage<{ fiber?: Fiber.RuntimeFiber<string, unknown> }>()
        const ref = yield* Effect.promise(async () => {
          const store: { fiber?: Fiber.RuntimeFiber<string, unknown> } = {}
          const agent = storage.run(store, () => Effect.runFork(Effect.provide(subject!.ask(config), context)))
          store.fiber = agent
          await Effect.runPromise(Fiber.join(agent))
          return new WeakRef(agent)
        })
        yield* eventually(
          Effect.zipRight(
            Effect.sleep(10),
            Effect.sync(() => {
              globalThis.gc?.()
              return ref.deref() === undefined
            })
          ),
          (collected) => collected
        )
        assert.strictEqual(sandbox.stats().connections.open, 1)
        yield* subject!.ask(config)
        assert.strictEqual(sandbox.stats().connections.total, 1)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  }

  for (const subject of subjects) {
    for (const road of roads) {
      it.live(
        `of ${subject.name} over ${road.name}: a stream that was dropped or aborted half way can be collected`,
        () =>
          Effect.gen(function* () {
            const sandbox = yield* Sandbox.make({ ...road.sandbox, timePerToken: 5 })
            const config = yield* subject.config(sandbox)
            const refs: Array<WeakRef<object>> = []
            const events = subject.streamWith(config, async (client) => {
              const stream = await client.chat.completions.create({ ...question("hello"), stream: true })
              refs.push(new WeakRef(stream))
              return stream
            })
            for (let i = 0; i < 5; i++) {
              yield* Stream.runDrain(Stream.take(events, 2))
              const started = yield* Deferred.make<void>()
              const agent = yield* Effect.fork(Stream.runForEach(events, () => Deferred.succeed(started, undefined)))
              yield* Deferred.await(started)
              yield* Fiber.interrupt(agent)
            }
            yield* eventually(
              Effect.zipRight(
                Effect.sleep(10),
                Effect.sync(() => {
                  globalThis.gc?.()
                  return refs.filter((ref) => ref.deref() !== undefined).length
                })
              ),
              // The last ones may be on a stack yet.
              (left) => left <= 2
            )
            assert.strictEqual(refs.length, 10)
          }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )
    }
  }

  it.live("no timer remains after an interrupted request", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 5_000 })
      const config = yield* subjects[0]!.config(sandbox, { timeout: "1 minute", deadline: "1 minute" })
      yield* Effect.provide(
        Effect.gen(function* () {
          const agent = yield* Effect.fork(subjects[0]!.ask(config))
          yield* eventually(
            Effect.sync(() => sandbox.stats().inFlight),
            (inFlight) => inFlight === 1
          )
          yield* Fiber.interrupt(agent)
        }),
        ClientLayer.layer()
      )
      yield* eventually(
        Effect.sync(() => sandbox.stats().connections.open),
        (open) => open === 0
      )
      yield* sandboxClosed(sandbox)
      yield* eventually(
        Effect.sync(() => process.getActiveResourcesInfo().filter((name) => name === "Timeout")),
        (timers) => timers.length <= timersBefore.length + 1
      )
    }).pipe(Effect.scoped)
  )
})

const timersBefore = process.getActiveResourcesInfo().filter((name) => name === "Timeout")

const sandboxClosed = (sandbox: Sandbox.Sandbox) => Effect.promise(() => sandbox.close())
