/** A provider that is down for half a minute, by a clock that runs faster than that. */
import { describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects, type Subject } from "../support/providers.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

describe("agents of a provider that answers 503 for 30 s", () => {
  it.scoped("retry no more than the budget has, without a circuit; and then all is as before", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ logSize: 1 })
      const config = yield* openai.config(sandbox, { transport: { circuitFailures: false } })
      sandbox.faults.push({ fault: { type: "status", status: 503 } })
      const down = { asked: 0, failed: 0, requests: 0 }
      const later = { asked: 0, failed: 0 }
      const agent = Effect.gen(function* () {
        while ((yield* Clock.currentTimeMillis) < 30_000) {
          down.asked++
          if (Either.isLeft(yield* Effect.either(openai.ask(config)))) down.failed++
          yield* Effect.sleep(3_000)
        }
        yield* Effect.sleep(10_000)
        if (down.requests === 0) {
          down.requests = sandbox.stats().requests
          sandbox.faults.replace([])
        }
        later.asked++
        if (Either.isLeft(yield* Effect.either(openai.ask(config)))) later.failed++
      })
      yield* Effect.raceFirst(
        Effect.forEach(Array.from({ length: 20 }), () => agent, { concurrency: "unbounded" }),
        Effect.forever(Effect.zipRight(TestClock.adjust(500), TestServices.provideLive(Effect.sleep(1))))
      )
      assert.isAbove(down.asked, 100)
      assert.strictEqual(down.failed, down.asked)
      // A minute more, for which they may wait for it.
      assert.isAtMost(down.requests, down.asked + 100 + 10 * 100)
      assert.isAbove(down.requests, down.asked, "some are retried")
      assert.deepStrictEqual(later, { asked: 20, failed: 0 })
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scoped("wait with a circuit, and none of a hundred fails", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai.config(sandbox)
      sandbox.faults.push({ fault: { type: "status", status: 503 } })
      yield* openai.ask(yield* openai.config(sandbox, { maxRetries: 0 })).pipe(Effect.flip, Effect.repeatN(4))
      const back = Effect.zipRight(
        Effect.sleep(30_000),
        Effect.sync(() => sandbox.faults.replace([]))
      )
      const agents = Effect.forEach(Array.from({ length: 100 }), () => openai.ask(config), { concurrency: "unbounded" })
      yield* Effect.raceFirst(
        Effect.zipRight(Effect.fork(back), agents),
        Effect.forever(Effect.zipRight(TestClock.adjust(500), TestServices.provideLive(Effect.sleep(5))))
      )
      // At most three of each before it opens, and its probes.
      assert.isAtMost(sandbox.stats().requests, 300 + 100)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
