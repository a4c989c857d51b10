/** Configurations of one credential that disagree: of each limit the tightest holds, and one warning says so. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import fc from "fast-check"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Limits from "../../src/internal/quota/limits.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const count = fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.constant(Infinity))
const number = fc.record({
  requestsPerMinute: count,
  tokensPerMinute: count,
  burst: fc.integer({ min: 1, max: 50 }),
  maxConcurrency: count,
  maxWaiters: count,
  retriesPerSecond: count
})

const of = (...all: ReadonlyArray<Limits.Limits["maxConcurrency"]>) =>
  Limits.tightest(all.map((maxConcurrency) => ({ ...Limits.none, maxConcurrency }))).maxConcurrency

describe("the limits of several holders", () => {
  it("are the least of each", () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 5 }), (holders) => {
        const least = (name: keyof (typeof holders)[number]) => Math.min(...holders.map((one) => one[name]))
        assert.deepStrictEqual(Limits.tightest(holders), {
          requestsPerMinute: least("requestsPerMinute"),
          tokensPerMinute: least("tokensPerMinute"),
          burst: least("burst"),
          maxConcurrency: least("maxConcurrency"),
          maxWaiters: least("maxWaiters"),
          retriesPerSecond: least("retriesPerSecond")
        })
      })
    )
  })

  it("bound an adaptive limit by a fixed one, and are careful with both", () => {
    const adaptive = { initial: 10, min: 2, max: Infinity, backoff: 0.8, growth: 1, tolerance: 2 }
    const careful = { initial: 5, min: 1, max: 40, backoff: 0.7, growth: 2, tolerance: 1.5 }
    const both = { initial: 5, min: 1, max: 40, backoff: 0.7, growth: 1, tolerance: 1.5 }
    assert.deepStrictEqual(of(adaptive, careful), both)
    assert.deepStrictEqual(of(careful, adaptive), both)
    assert.deepStrictEqual(of(adaptive, 7), { ...adaptive, initial: 7, max: 7 })
    assert.deepStrictEqual(of(1, adaptive), { ...adaptive, initial: 1, min: 1, max: 1 })
    assert.deepStrictEqual(of(adaptive), adaptive)
  })
})

for (const subject of subjects) {
  describe(`two configurations of one ${subject.name} key`, () => {
    it.scoped("keep to the fewest requests and tokens of both, in either order, with one warning", () => {
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel._tag === "Warning") warnings.push(String(message))
      })
      return Effect.gen(function* () {
        for (const [key, first, second] of [
          ["sk-a", { requestsPerMinute: 6_000 }, { requestsPerMinute: 6 }],
          ["sk-b", { requestsPerMinute: 6 }, { requestsPerMinute: 6_000 }],
          ["sk-d", { requestsPerMinute: 6, maxWaiters: 500 }, { maxWaiters: 300 }],
          ["sk-c", { requestsPerMinute: 6, tokensPerMinute: 1e9 }, { tokensPerMinute: 1e8 }]
        ] as const) {
          const sandbox = yield* Sandbox.make()
          const configs = [
            yield* subject.config(sandbox, { key, quota: first }),
            yield* subject.config(sandbox, { key, quota: second })
          ] as const
          // Both are held, so both have a say.
          for (const config of configs) yield* subject.get(config)
          yield* subject.ask(configs[0])
          const next = yield* Effect.fork(subject.ask(configs[1]))
          yield* TestServices.provideLive(
            eventually(ClientMap.stats, ({ quotas }) => quotas.some(({ queued }) => queued === 1))
          )
          yield* TestClock.adjust(9_999)
          assert.strictEqual(sandbox.stats().requests, 1)
          yield* TestClock.adjust(1)
          yield* Fiber.join(next)
          assert.strictEqual(sandbox.stats().requests, 2)
        }
        assert.strictEqual(warnings.length, 4)
        for (const warning of warnings) assert.match(warning, /the tightest applies: 6 requests a minute/)
        assert.match(warnings[2]!, /6 requests a minute, 300 waiting/)
        assert.match(warnings[3]!, /6 requests a minute, 100000000 tokens a minute/)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    })
  })
}
