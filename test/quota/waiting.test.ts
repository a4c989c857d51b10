/** Waiting for a turn: outside every timeout, cancelled at once, and free of charge. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { question, subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const soon = <A, E, R>(look: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  TestServices.provideLive(eventually(look, isSo))

const short: object = { max_tokens: 1 }

const queued = Effect.map(ClientMap.stats, ({ quotas }) => quotas[0]?.queued)
const inFlight = (sandbox: Sandbox.Sandbox) => Effect.sync(() => sandbox.stats().inFlight)

describe.concurrent("waiting for a quota", () => {
  it.live("for longer than a time-out is no part of it, with any provider", () =>
    Effect.forEach(
      subjects,
      (subject) =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ timePerToken: 50, tokens: 32 })
          const quota = { maxConcurrency: 1 }
          const patient = yield* subject.config(sandbox, { quota })
          // The connection is there, so that a second is plenty for what is measured.
          yield* subject.use(patient, (client) => client.chat.completions.create({ ...question("hi"), ...short }))
          const first = yield* Effect.fork(Stream.runDrain(subject.stream(patient)))
          yield* eventually(inFlight(sandbox), (count) => count === 1)
          const hasty = yield* subject.config(sandbox, {
            quota,
            timeout: 1_000,
            bodyTimeout: 1_000,
            maxRetries: 0
          })
          const started = performance.now()
          const pieces = yield* Stream.runCollect(Stream.take(subject.stream(hasty), 3))
          assert.strictEqual(pieces.length, 3)
          assert.isAtLeast(performance.now() - started, 1_200, "it has waited")
          yield* Fiber.join(first)
          assert.deepStrictEqual([sandbox.stats().requests, sandbox.stats().peakInFlight], [3, 1])
        }),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

for (const subject of subjects) {
  describe.concurrent(`waiting for the quota of ${subject.name}`, () => {
    for (const [what, how] of [
      ["by its fiber", "fiber"],
      ["by the caller's own signal", "signal"]
    ] as const) {
      it.scoped(`is cancelled at once ${what}, at the gate as in the pause between attempts`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make()
          const config = yield* subject.config(sandbox, { maxRetries: 3 })
          for (const status of [429, 500]) {
            sandbox.resetStats()
            sandbox.faults.replace([{ fault: { type: "status", status, headers: { "retry-after": "50" } } }])
            const controller = new AbortController()
            const agent = yield* Effect.fork(
              subject.use(config, (client) =>
                client.chat.completions.create(question("hello"), { signal: controller.signal })
              )
            )
            yield* soon(
              Effect.sync(() => sandbox.stats().log.length),
              (ended) => ended === 1
            )
            // From the pause after a 429 to the gate.
            if (status === 429) {
              yield* TestClock.adjust(500)
              yield* soon(queued, (count) => count === 1)
            }
            if (how === "fiber") assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(agent)))
            else {
              controller.abort()
              // The clock stands still: nothing but the abort can end it.
              const error = yield* Effect.flip(Fiber.join(agent))
              assert.strictEqual(error._tag === "RequestError" ? error.reason : error._tag, "Aborted")
            }
            yield* soon(
              ClientMap.stats,
              ({ clients, quotas }) =>
                clients[0]!.inFlight === 0 && quotas[0]!.queued === 0 && quotas[0]!.inFlight === 0
            )
            yield* TestClock.adjust("2 minutes")
            assert.strictEqual(sandbox.stats().requests, 1)
          }
        }).pipe(Effect.provide(ClientLayer.layer()))
      )
    }
  })
}

describe.concurrent("an unsent request", () => {
  it.scoped("has its budget back when no server listens", () =>
    Effect.gen(function* () {
      const closed = yield* Sandbox.make()
      const quota = { requestsPerMinute: 1, tokensPerMinute: 10_000 }
      const config = yield* openai.config(closed, { quota, maxRetries: 0, maxRetryAfter: 0 })
      yield* openai.use(config, () => Promise.resolve())
      yield* Effect.promise(() => closed.close())
      for (const attempts of [1, 0, 0]) {
        // At once each time, since the clock stands still; that nobody is there is known from the first.
        const error = yield* Effect.flip(openai.ask(config))
        assert.deepInclude(error, { _tag: "RequestError", reason: "Connection", processed: "no", attempts })
      }
      assert.deepStrictEqual(
        (yield* ClientMap.stats).quotas.map(({ models }) => models),
        [[]],
        "nothing is owed"
      )
      const sandbox = yield* Sandbox.make({ port: closed.port })
      yield* TestClock.adjust(500)
      yield* openai.ask(config)
      assert.strictEqual(sandbox.stats().requests, 1)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scoped("has its budget back when it is aborted while it waits for a socket", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        protocol: "http/1.1",
        faults: [{ times: 1, fault: { type: "stall", at: "body" } }]
      })
      const config = yield* openai.config(sandbox, {
        quota: { requestsPerMinute: 60, burst: 2 },
        transport: { maxConnections: 1 }
      })
      const stream = yield* Effect.fork(Stream.runDrain(openai.stream(config)))
      yield* soon(inFlight(sandbox), (count) => count === 1)
      const second = yield* Effect.fork(openai.ask(config))
      yield* soon(ClientMap.stats, ({ quotas }) => quotas[0]?.inFlight === 2)
      const third = yield* Effect.fork(openai.ask(config))
      yield* soon(queued, (count) => count === 1)
      yield* Fiber.interrupt(second)
      // The budget of the second is that of the third, though no time passes.
      yield* soon(ClientMap.stats, ({ quotas }) => quotas[0]?.inFlight === 2 && quotas[0].queued === 0)
      yield* Fiber.interrupt(stream)
      yield* Fiber.join(third)
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scoped("costs its budget only once sent, whatever the outcome", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "resetBeforeHeaders" } }] })
      const config = yield* openai.config(sandbox, { quota: { requestsPerMinute: 1 }, maxRetries: 0 })
      const error = yield* Effect.flip(openai.ask(config))
      assert.deepInclude(error, { _tag: "RequestError", reason: "Connection", processed: "maybe" })
      const second = yield* Effect.fork(Effect.flip(openai.ask(config)))
      yield* soon(queued, (count) => count === 1)
      yield* TestClock.adjust(59_999)
      assert.strictEqual(sandbox.stats().requests, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(second)
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

describe.concurrent("a burst", () => {
  it.scoped("lets that many go at once, and the rest of a minute's one by one", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai.config(sandbox, { quota: { requestsPerMinute: 6, burst: 3 } })
      const agents = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 9 }), () => openai.ask(config), { concurrency: "unbounded" })
      )
      yield* soon(queued, (count) => count === 6)
      const requests = Effect.sync(() => sandbox.stats().requests)
      yield* soon(requests, (count) => count === 3)
      for (const expected of [4, 5, 6, 7, 8]) {
        yield* TestClock.adjust(9_999)
        assert.strictEqual(sandbox.stats().requests, expected - 1)
        yield* TestClock.adjust(1)
        yield* soon(requests, (count) => count === expected)
      }
      // 50 s: with the one that is due at the 60th, a minute has had 6 + 3 - 1.
      yield* TestClock.adjust(10_001)
      yield* Fiber.join(agents)
      assert.strictEqual(sandbox.stats().requests, 9)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
