import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Redis } from "ioredis"
import * as ClientLayer from "../../../src/ClientLayer.ts"
import type { ClientMap } from "../../../src/ClientMap.ts"
import * as QuotaRedis from "../../../src/QuotaRedis.ts"
import * as Sandbox from "../../../src/testing/Sandbox.ts"
import * as RedisServer from "../../support/redis.ts"
import { subjects, type Subject } from "../../support/providers.ts"
import { eventually } from "../../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

/** Parts of a process of its own: a client layer, a connection to Redis, and a log. */
const process = (url: string) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel.label} ${String(message)}`)
    })
    const layer = Layer.provide(ClientLayer.layer(), QuotaRedis.layer({ url, commandTimeout: "5 seconds" }))
    const context = yield* Effect.provide(Layer.build(layer), Logger.replace(Logger.defaultLogger, logger))
    const run = <A, E>(effect: Effect.Effect<A, E, ClientMap>) => Effect.provide(effect, context)
    return { lines, run }
  })

const arrivals = (sandbox: Sandbox.Sandbox): ReadonlyArray<number> =>
  sandbox
    .stats()
    .log.map(({ arrived }) => arrived)
    .sort((a, b) => a - b)

describe("agents of two processes on one budget in Redis", () => {
  it.scopedLive("all come through when Redis dies on the way, and keep to the budget before and after", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const sandbox = yield* Sandbox.make({ logSize: 10_000 })
      const processes = [yield* process(redis.url), yield* process(redis.url)]
      // Forty a second.
      const config = yield* openai.config(sandbox, { quota: { requestsPerMinute: 2_400 } })
      const crowds = (size: number) =>
        Effect.forEach(processes, ({ run }) =>
          Effect.fork(
            Effect.forEach(Array.from({ length: size }), () => run(openai.ask(config)), { concurrency: "unbounded" })
          )
        )
      const asked = yield* crowds(100)
      const requests = Effect.sync(() => sandbox.stats().requests)
      yield* eventually(requests, (count) => count >= 80)
      yield* redis.kill
      yield* eventually(requests, (count) => count >= 120)
      yield* redis.start
      yield* eventually(
        Effect.sync(() => processes.map(({ lines }) => lines.length)),
        (counts) => counts.every((count) => count === 2)
      )
      for (const fiber of [...asked, ...(yield* crowds(40))]) yield* Fiber.join(fiber)
      for (const { lines } of processes) {
        assert.match(
          lines[0]!,
          /^WARN Redis at .+ can't count quotas: .+; until it recovers, each process counts for itself$/
        )
        assert.match(lines[1]!, /^INFO Redis at .+ counts quotas again$/)
        assert.strictEqual(lines.length, 2)
      }
      const times = arrivals(sandbox)
      assert.strictEqual(times.length, 280)
      // Two seconds; each for itself, they would take one. Some that were late catch up: a fifth of a second is forgiven.
      const [before, after] = [times.slice(0, 80), times.slice(-80)]
      assert.isAtLeast(before.at(-1)! - before[0]!, 1_500)
      assert.isAtLeast(after.at(-1)! - after[0]!, 1_500)
    })
  )

  it.scopedLive("wait all together when one of them gets a Retry-After", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const sandbox = yield* Sandbox.make({
        logSize: 100,
        faults: [{ times: 1, fault: { type: "status", status: 429, headers: { "retry-after": "1" } } }]
      })
      const [one, other] = [yield* process(redis.url), yield* process(redis.url)]
      const config = yield* openai.config(sandbox)
      const admin = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(redis.port)),
        (admin) => Effect.sync(() => admin.disconnect())
      )
      const first = yield* Effect.fork(one.run(openai.ask(config)))
      const closed = Effect.promise(async () => {
        const keys = await admin.keys("clientele:quota:{*")
        return keys.length === 0 ? "0" : ((await admin.hget(keys[0]!, "closed")) ?? "0")
      })
      yield* eventually(closed, (until) => Number(until) > 0)
      yield* other.run(openai.ask(config))
      yield* Fiber.join(first)
      const [refused, ...rest] = arrivals(sandbox)
      assert.strictEqual(rest.length, 2)
      assert.isAtLeast(rest[0]! - refused!, 990)
    })
  )
})
