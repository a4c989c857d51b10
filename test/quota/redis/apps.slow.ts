import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { assert } from "vitest"
import type { ClientError } from "../../../src/ClientError.ts"
import * as ClientLayer from "../../../src/ClientLayer.ts"
import * as ClientMap from "../../../src/ClientMap.ts"
import * as QuotaRedis from "../../../src/QuotaRedis.ts"
import * as Sandbox from "../../../src/testing/Sandbox.ts"
import { subjects, type Subject } from "../../support/providers.ts"
import * as RedisServer from "../../support/redis.ts"
import { eventually } from "../../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

/** An app of its own: its clients and quotas are shared with nobody but through Redis. */
const app = (url: string) => Layer.fresh(ClientLayer.layer().pipe(Layer.provide(QuotaRedis.layer({ url }))))

const crowd = <R>(size: number, agent: Effect.Effect<unknown, ClientError, R>) =>
  Effect.map(
    Effect.forEach(Array.from({ length: size }), () => Effect.either(agent), { concurrency: "unbounded" }),
    (results) => results.flatMap((result) => (Either.isLeft(result) ? [result.left.message] : []))
  )

describe("apps with one budget in Redis", () => {
  it.scopedLive("share a minute's budget, and no request fails for it", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const sandbox = yield* Sandbox.make()
      const config = yield* openai.config(sandbox, { quota: { requestsPerMinute: 12_000 } })
      const apps = [app(redis.url), app(redis.url), app(redis.url)]
      const failed = yield* Effect.forEach(apps, (layer) => Effect.provide(crowd(200, openai.ask(config)), layer), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(failed.flat(), [])
      const at = sandbox.stats().log.map(({ arrived }) => arrived)
      assert.strictEqual(at.length, 600)
      assert.isAtLeast(
        Math.max(...at) - Math.min(...at),
        2_500,
        "200 a second, of which late timers may catch up a little"
      )
    })
  )

  it.scopedLive("show in their stats the budget left in Redis", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const sandbox = yield* Sandbox.make({ latency: 50 })
      const config = yield* openai.config(sandbox, { quota: { tokensPerMinute: 100_000 } })
      // Half a minute's tokens at once: who comes next waits until they are paid for.
      yield* Effect.provide(openai.ask(config, "word ".repeat(40_000)), app(redis.url))
      const seen = Effect.gen(function* () {
        const waiting = yield* Effect.fork(openai.ask(config))
        const { quotas } = yield* eventually(ClientMap.stats, ({ quotas }) => {
          const model = quotas[0]?.models[0]
          return model?.queued === 1 && model.tokensLeft < 100_000
        })
        yield* Fiber.interrupt(waiting)
        return quotas[0]!.models[0]!.tokensLeft
      })
      const left = yield* Effect.provide(seen, app(redis.url))
      assert.isTrue(left > 40_000 && left < 70_000, `${left}`)
    })
  )
})
