/** Metrics of limits, and of waits for sockets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import type { Options } from "../../src/Quota.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { series } from "../support/metrics.ts"
import { until } from "../support/wait.ts"

const LIMIT = "clientele.quota.limit"
const LEFT = "clientele.quota.left"
const CLOSED = "clientele.quota.closed"
const SOCKETS = "clientele.socket.wait_time"

const layer = ClientLayer.layer()

const openai = (sandbox: Sandbox.Sandbox, key: string, quota?: Options, maxConnections = 8) =>
  OpenAiClient.config({
    apiKey: Redacted.make(key),
    baseURL: sandbox.baseURL("openai"),
    maxRetries: 0,
    transport: { maxConnections },
    ...(quota !== undefined && { quota })
  })

type Config = Effect.Effect.Success<ReturnType<typeof openai>>

const ask = (config: Config, model: string) =>
  OpenAiClient.use(config, (client) =>
    client.chat.completions.create({ model, messages: [{ role: "user", content: "hello" }] })
  )

/** Gauges of a model, as they are now. */
const gauges = (name: string, model: string) =>
  Effect.map(Telemetry.prometheus, () =>
    Object.fromEntries(
      series(name, { provider: "openai", "gen_ai.request.model": model }).map(({ labels, value }) => [
        labels["limit"] ?? "",
        value
      ])
    )
  )

/** Waits for sockets until now. */
const waits = () => series(SOCKETS, { provider: "openai" })[0] ?? { count: 0, sum: 0 }

describe("gauges of limits", () => {
  it.scopedLive("have the limits and the rest of all keys' budgets, by model, and are absent once they are idle", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
      const quota = { requestsPerMinute: 6_000, tokensPerMinute: 600_000, burst: 10, maxConcurrency: 4 }
      const a = yield* openai(sandbox, "sk-a", quota)
      const b = yield* openai(sandbox, "sk-b", quota)
      const fibers = yield* Effect.forEach([a, a, b], (config) => Effect.fork(ask(config, "limited")))
      yield* Effect.promise(() => until(() => sandbox.stats().requests === 3))
      assert.deepStrictEqual(yield* gauges(LIMIT, "limited"), { concurrency: 8, requests: 12_000, tokens: 1_200_000 })
      const left = yield* gauges(LEFT, "limited")
      assert.strictEqual(left["concurrency"], 5)
      for (const [kind, most] of [
        ["requests", 12_000],
        ["tokens", 1_200_000]
      ] as const) {
        assert.isAbove(left[kind]!, 0)
        assert.isAtMost(left[kind]!, most)
      }
      yield* Effect.forEach(fibers, Fiber.interrupt)
      const rested = gauges(LIMIT, "limited").pipe(
        Effect.map(({ concurrency }) => concurrency === 0),
        Effect.repeat({ until: (isRested) => isRested })
      )
      yield* rested
      assert.deepStrictEqual(yield* gauges(LIMIT, "limited"), { concurrency: 0, requests: 0, tokens: 0 })
      assert.deepStrictEqual(yield* gauges(LEFT, "limited"), { concurrency: 0, requests: 0, tokens: 0 })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("have the rest of a minute's requests and tokens", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      // So slow that nothing comes back while the test runs.
      const config = yield* openai(sandbox, "sk", { requestsPerMinute: 2, tokensPerMinute: 20, burst: 2 })
      yield* ask(config, "scarce")
      const { requests, tokens } = yield* gauges(LEFT, "scarce")
      assert.strictEqual(requests, 1)
      assert.isBelow(tokens!, 20)
      assert.deepStrictEqual(yield* gauges(LIMIT, "scarce"), { requests: 2, tokens: 20 })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("count the budgets that their provider keeps closed", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        faults: [{ fault: { type: "status", status: 429, headers: { "retry-after": "30" } } }]
      })
      const [a, b] = [yield* openai(sandbox, "sk-a"), yield* openai(sandbox, "sk-b")]
      yield* Effect.flip(ask(a, "closed"))
      assert.deepStrictEqual(yield* gauges(CLOSED, "closed"), { "": 1 })
      yield* Effect.flip(ask(b, "closed"))
      assert.deepStrictEqual(yield* gauges(CLOSED, "closed"), { "": 2 })
      assert.match(
        yield* Telemetry.prometheus,
        /^clientele_quota_closed\{provider="openai",gen_ai_request_model="closed"\} 2$/m
      )
    }).pipe(Effect.provide(layer))
  )
})

describe("the wait for a socket", () => {
  it.scopedLive("is that of requests that find none free, and not that of others", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ protocol: "http/1.1", latency: 60 })
      const config = yield* openai(sandbox, "sk", undefined, 1)
      yield* ask(config, "warm")
      const before = waits()
      yield* Effect.all([ask(config, "first"), ask(config, "second")], { concurrency: "unbounded" })
      const after = waits()
      // The second alone, for as long as the first one's answer took; a busy machine may keep the first a moment as well.
      assert.isAtLeast(after.count - before.count, 1)
      assert.isAtLeast(after.sum - before.sum, 0.055)
    }).pipe(Effect.provide(layer))
  )
})
