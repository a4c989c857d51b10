import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const refusal = (times: number, headers: Readonly<Record<string, string>>, status = 429): Sandbox.FaultRule => ({
  times,
  fault: { type: "status", status, headers }
})

/** All at once, and how each ended. */
const all = <A, R>(size: number, agent: (i: number) => Effect.Effect<A, ClientError, R>) =>
  Effect.forEach(
    Array.from({ length: size }, (_, i) => i),
    (i) => Effect.either(agent(i)),
    { concurrency: "unbounded" }
  )

const failures = (results: ReadonlyArray<Either.Either<unknown, ClientError>>): ReadonlyArray<string> =>
  results.flatMap((result) => (Either.isLeft(result) ? [result.left.message] : []))

/** When requests came, in ms after the first of them. */
const arrivals = (sandbox: Sandbox.Sandbox): ReadonlyArray<number> => {
  const at = sandbox
    .stats()
    .log.map(({ arrived }) => arrived)
    .sort((a, b) => a - b)
  return at.map((time) => time - at[0]!)
}

for (const subject of subjects) {
  describe(`agents of one ${subject.name} account`, () => {
    it.live("meet one Retry-After together: none is sent before, all are done after, and there is no second wave", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 20 })
        const config = yield* subject.config(sandbox)
        sandbox.faults.push(refusal(1, { "retry-after": "2" }))
        const first = yield* Effect.fork(subject.ask(config))
        yield* eventually(ClientMap.stats, ({ quotas }) => quotas[0]?.models[0]?.closedUntil !== undefined)
        const results = yield* all(200, () => subject.ask(config))
        yield* Fiber.join(first)
        assert.deepStrictEqual(failures(results), [])
        const { requests } = sandbox.stats()
        assert.strictEqual(requests, 202, "the one that was refused came again, and no other had to")
        const [, ...others] = arrivals(sandbox)
        assert.isAtLeast(others[0]!, 1_990)
        // Each answer lets two more go, so the first eight take more than two answers' time.
        assert.isAtLeast(others[7]! - others[0]!, 40)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

describe("agents of one account", () => {
  it.live("never fail for lack of a known budget", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ rateLimit: { requestsPerMinute: 30_000, burst: 0.01 } })
      const config = yield* openai.config(sandbox, { quota: { requestsPerMinute: 30_000 } })
      const results = yield* all(1_000, () => openai.ask(config))
      assert.deepStrictEqual(failures(results), [])
      // 2 s, less what late timers may catch up.
      assert.isAtLeast(arrivals(sandbox).at(-1)!, 1_750)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("all finish within a budget that only the provider has", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ rateLimit: { requestsPerMinute: 12_000, burst: 1 / 60 } })
      const config = yield* openai.config(sandbox)
      const results = yield* all(600, () => openai.ask(config))
      assert.deepStrictEqual(failures(results), [])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("retry no more than the budget has, while the provider is down and no circuit holds them back", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai.config(sandbox, { maxRetryAfter: 200, transport: { circuitFailures: false } })
      sandbox.faults.replace([{ fault: { type: "status", status: 503 } }])
      const started = performance.now()
      let asked = 0
      const agent = Effect.suspend(() => {
        asked++
        return Effect.zipRight(Effect.ignore(openai.ask(config)), Effect.sleep("50 millis"))
      })
      const untilEnough = Effect.repeat(agent, { while: () => asked < 500 })
      yield* Effect.forEach(Array.from({ length: 50 }), () => untilEnough, { concurrency: "unbounded" })
      const seconds = (performance.now() - started) / 1_000
      assert.isBelow(sandbox.stats().requests, asked + 100 + 10 * (seconds + 1))
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("of another account are not delayed by it, though all else is the same", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push({
        match: { apiKey: "sk-limited" },
        fault: { type: "status", status: 429, headers: { "retry-after": "30" } }
      })
      const limited = yield* openai.config(sandbox, { key: "sk-limited" })
      const free = yield* openai.config(sandbox, { key: "sk-free" })
      const waiting = yield* Effect.fork(openai.ask(limited))
      yield* eventually(ClientMap.stats, ({ quotas }) => quotas[0]?.queued === 1)
      assert.deepStrictEqual(failures(yield* all(100, () => openai.ask(free))), [])
      assert.isNull(yield* Fiber.poll(waiting).pipe(Effect.map((exit) => (exit._tag === "None" ? null : exit))))
      const { quotas } = yield* ClientMap.stats
      assert.deepStrictEqual(
        quotas.map(({ models }) => models.map(({ closedUntil, queued }) => [closedUntil !== undefined, queued])).sort(),
        [[], [[true, 1]]]
      )
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("interrupted while they wait use no budget, and the next goes", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 100 })
      const config = yield* openai.config(sandbox, { quota: { maxConcurrency: 1, tokensPerMinute: 60_000 } })
      const first = yield* Effect.fork(openai.ask(config))
      yield* eventually(
        Effect.sync(() => sandbox.stats().inFlight),
        (inFlight) => inFlight === 1
      )
      // A second's worth of tokens each: were they counted, the last would wait for minutes.
      const quitters = yield* Effect.forEach(Array.from({ length: 100 }), () =>
        Effect.fork(openai.ask(config, "word ".repeat(800)))
      )
      const last = yield* Effect.fork(openai.ask(config))
      yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.queued === 101)
      yield* Fiber.interruptAll(quitters)
      yield* Fiber.join(first)
      yield* Fiber.join(last)
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("settle the tokens that streams really used", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ tokens: 20 })
      const config = yield* openai.config(sandbox, { quota: { tokensPerMinute: 100_000 } })
      const tokensLeft = Effect.map(ClientMap.stats, ({ quotas }) => quotas[0]!.models[0]?.tokensLeft ?? 100_000)
      const usage = yield* Stream.runFold(
        openai.streamWith(config, (client) =>
          client.chat.completions.create({
            model: "m",
            messages: [{ role: "user", content: "hello" }],
            stream: true,
            stream_options: { include_usage: true }
          } as Parameters<typeof client.chat.completions.create>[0] & { stream: true })
        ),
        0,
        (total, chunk) => (chunk as { usage?: { total_tokens: number } | null }).usage?.total_tokens ?? total
      )
      assert.isAbove(usage, 20)
      // The estimate had hundreds more.
      yield* eventually(tokensLeft, (left) => left >= 100_000 - usage)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("fail at once, and together, when the account is used up", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 50 })
      const config = yield* openai.config(sandbox, { quota: { maxConcurrency: 1 } })
      sandbox.faults.push({ fault: { type: "status", status: 429, code: "insufficient_quota" } })
      const results = yield* all(50, () => openai.ask(config))
      assert.deepStrictEqual(
        results.map((result) =>
          Either.isLeft(result) && result.left._tag === "RequestError" ? result.left.reason : "other"
        ),
        Array.from({ length: 50 }, () => "QuotaExceeded")
      )
      assert.strictEqual(sandbox.stats().requests, 1)
      sandbox.faults.replace([])
      assert.deepStrictEqual(failures(yield* all(20, () => openai.ask(config))), [])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("held by the gate for longer than their maxRetryAfter fail typed, the others wait", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const patient = yield* openai.config(sandbox)
      const hasty = yield* openai.config(sandbox, { maxRetryAfter: "500 millis" })
      sandbox.faults.push(refusal(1, { "retry-after-ms": "1200" }))
      const first = yield* Effect.fork(openai.ask(patient))
      yield* eventually(ClientMap.stats, ({ quotas }) => quotas[0]?.models[0]?.closedUntil !== undefined)
      const error = yield* Effect.flip(openai.ask(hasty))
      assert.deepInclude(error, { _tag: "RequestError", reason: "RateLimited", processed: "no", attempts: 0 })
      assert.isTrue(error._tag === "RequestError" && error.retryAfter !== undefined)
      yield* Fiber.join(first)
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("wait no longer than queueTimeout for their turn", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 400 })
      const config = yield* openai.config(sandbox, { quota: { maxConcurrency: 1 }, queueTimeout: 50 })
      const first = yield* Effect.fork(openai.ask(config))
      yield* eventually(
        Effect.sync(() => sandbox.stats().inFlight),
        (inFlight) => inFlight === 1
      )
      const error = yield* Effect.flip(openai.ask(config))
      assert.deepInclude(error, { _tag: "RequestError", reason: "QueueTimeout", processed: "no", attempts: 0 })
      yield* Fiber.join(first)
      assert.strictEqual(sandbox.stats().requests, 1)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
