import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { eventually, until } from "../support/wait.ts"
import { kindOf, kinds, vectorOf, vectorsOf } from "./lines.ts"
import { embedders } from "./models.ts"

describe.each(embedders)("the embedding model of $name", ({ at, name }) => {
  it.scopedLive("gives agents that ask at once their own vectors out of one request", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        const texts = Array.from({ length: 100 }, (_, i) => `row ${i}`)
        const together = (yield* Effect.forEach(texts, (text) => model.embed(text), {
          concurrency: "unbounded"
        })).map(vectorOf)
        assert.strictEqual(sandbox.stats().requests, 1)
        assert.strictEqual(together[7]?.length, 8)
        assert.deepStrictEqual(together[7], vectorOf(yield* model.embed("row 7")))
        assert.notDeepEqual(together[7], together[8])
      }).pipe(Effect.provide(at(sandbox.baseURL(name), { dimensions: 8 })))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("fails all of them with its error", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ times: 1, fault: { type: "status", status: 500 } }] })
      yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        const errors = yield* Effect.forEach(["a", "b"], (text) => Effect.flip(model.embed(text)), {
          concurrency: "unbounded"
        })
        for (const error of errors) assert.strictEqual(kindOf(error), kinds.server)
        assert.strictEqual(sandbox.stats().requests, 1)
      }).pipe(Effect.provide(at(sandbox.baseURL(name))))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("an interrupted caller leaves the shared request running; it is aborted when all have left", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        faults: [
          { times: 1, fault: { type: "stall", at: "headers", ms: 200 } },
          { fault: { type: "stall", at: "headers" } }
        ]
      })
      yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        const ask = (text: string) => Effect.fork(model.embed(text))
        const under = (requests: number, inFlight: number) =>
          Effect.promise(() =>
            until(() => sandbox.stats().requests === requests && sandbox.stats().inFlight === inFlight)
          )

        const [early, late, stays] = yield* Effect.all([ask("a"), ask("b"), ask("c")])
        yield* Fiber.interrupt(early)
        yield* under(1, 1)
        yield* Fiber.interrupt(late)
        assert.strictEqual(vectorOf(yield* Fiber.join(stays)).length, 8)

        const both = yield* Effect.all([ask("a"), Effect.fork(model.embedMany(["b", "c"]))])
        yield* under(2, 1)
        yield* Fiber.interrupt(both[0])
        assert.strictEqual(sandbox.stats().inFlight, 1)
        yield* Fiber.interrupt(both[1])
        yield* under(2, 0)
        assert.strictEqual(sandbox.stats().aborts, 1)

        yield* Effect.flatMap(ask("nobody waits"), Fiber.interrupt)
        const next = yield* ask("d")
        yield* under(3, 1)
        yield* Fiber.interrupt(next)
        const { clients } = yield* eventually(ClientMap.stats, ({ clients }) =>
          clients.every(({ inFlight }) => inFlight === 0)
        )
        assert.isTrue(
          clients.every(({ leases }) => leases === 0),
          JSON.stringify(clients)
        )
      }).pipe(Effect.provide(at(sandbox.baseURL(name), { dimensions: 8 })))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive(
    "has texts in requests of so many, each vector in its place, and all fail if one of the requests does",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const texts = Array.from({ length: 25 }, (_, i) => `row ${i}`)
        yield* Effect.gen(function* () {
          const model = yield* EmbeddingModel.EmbeddingModel
          const many = yield* model.embedMany(texts)
          assert.strictEqual(sandbox.stats().requests, 3)
          assert.deepStrictEqual(
            vectorsOf(many),
            (yield* Effect.forEach(texts, (text) => model.embed(text), { concurrency: "unbounded" })).map(vectorOf)
          )
          assert.deepStrictEqual(vectorsOf(yield* model.embedMany([])), [])
          sandbox.faults.replace([
            { times: 1, fault: { type: "status", status: 500 } },
            { fault: { type: "stall", at: "headers" } }
          ])
          const error = yield* Effect.flip(model.embedMany(texts))
          assert.strictEqual(kindOf(error), kinds.server)
          yield* Effect.promise(() => until(() => sandbox.stats().inFlight === 0))
        }).pipe(Effect.provide(at(sandbox.baseURL(name), { maxBatchSize: 10 })))
      }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("fails waiting callers when its layer closes, and aborts their request", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
      const waits = (window: number, isWaiting: () => boolean) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          // As a service that is acquired builds it.
          const context = yield* Effect.uninterruptible(
            Layer.buildWithScope(at(sandbox.baseURL(name), { window }), scope)
          )
          const ask = Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => Effect.flip(model.embed("a")))
          const fiber = yield* Effect.fork(Effect.provide(ask, context))
          yield* Effect.yieldNow()
          yield* Effect.promise(() => until(isWaiting))
          yield* Scope.close(scope, Exit.void)
          const errors = [yield* Fiber.join(fiber), yield* Effect.provide(ask, context)]
          for (const error of errors) assert.include(error.message, "model's layer is closed")
        })
      yield* waits(60_000, () => true)
      yield* waits(0, () => sandbox.stats().inFlight === 1)
      yield* Effect.promise(() => until(() => sandbox.stats().inFlight === 0))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
