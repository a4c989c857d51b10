/** Adaptive concurrency against a real server of unknown capacity. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const model = Effect.map(ClientMap.stats, ({ quotas }) => quotas[0]?.models[0])

describe("agents with adaptive concurrency", () => {
  it.live("begin with ten at once, or with initial", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
      for (const [initial, maxConcurrency] of [
        [10, "adaptive"],
        [3, { initial: 3 }]
      ] as const) {
        const config = yield* openai.config(sandbox, { key: `sk-${initial}`, quota: { maxConcurrency } })
        const agents = yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.fork(openai.ask(config)))
        yield* eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === initial
        )
        const { quotas } = yield* ClientMap.stats
        const { inFlight, limit, queued } = quotas.find(({ queued }) => queued > 0)!.models[0]!
        assert.deepStrictEqual({ inFlight, limit, queued }, { inFlight: initial, limit: initial, queued: 30 - initial })
        yield* Fiber.interruptAll(agents)
        yield* eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 0
        )
      }
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("find the provider's capacity, fewer when that falls, and more again; and none of them fails", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 80, rateLimit: { maxConcurrency: 40 } })
      const config = yield* openai.config(sandbox, { maxRetries: 10, quota: { maxConcurrency: "adaptive" } })
      let goOn = true
      const agents = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 60 }), () => Effect.repeat(openai.ask(config), { while: () => goOn }), {
          concurrency: "unbounded"
        })
      )
      const limit = Effect.map(model, (it) => it?.limit ?? 0)
      yield* eventually(limit, (now) => now >= 36)
      yield* eventually(limit, (now) => now <= 40 && sandbox.stats().rateLimited > 0)
      sandbox.limit({ maxConcurrency: 8 })
      yield* eventually(limit, (now) => now <= 8)
      // It stays there: few are refused.
      sandbox.resetStats()
      yield* eventually(
        Effect.sync(() => sandbox.stats().requests),
        (requests) => requests >= 100
      )
      const { rateLimited, requests } = sandbox.stats()
      assert.isBelow(rateLimited, requests * 0.25)
      sandbox.limit({ maxConcurrency: 40 })
      yield* eventually(limit, (now) => now >= 20)
      goOn = false
      yield* Fiber.join(agents)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
