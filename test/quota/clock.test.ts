import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

/** Looks by the clock on the wall, while the test's own stands still. */
const soon = <A, E, R>(look: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  TestServices.provideLive(eventually(look, isSo))

const requests = (sandbox: Sandbox.Sandbox) => Effect.sync(() => sandbox.stats().requests)

describe("under a test's clock", () => {
  it.scoped("7 requests a minute are 7 requests a minute, to the millisecond", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai.config(sandbox, { quota: { requestsPerMinute: 7 } })
      const agents = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 15 }), () => openai.ask(config), { concurrency: "unbounded" })
      )
      yield* soon(ClientMap.stats, ({ quotas }) => quotas[0]?.queued === 14)
      yield* soon(requests(sandbox), (count) => count === 1)
      for (const [ms, expected] of [
        [8_571, 1],
        [1, 2],
        [8_570, 2],
        [1, 3],
        // The rest of the first minute, but for a millisecond, then the eighth.
        [42_856, 7],
        [1, 8]
      ] as const) {
        yield* TestClock.adjust(ms)
        yield* soon(requests(sandbox), (count) => count >= expected)
        assert.strictEqual(sandbox.stats().requests, expected)
      }
      // The last is due at the end of the second minute, at the limit of a clock's precision.
      yield* TestClock.adjust(60_001)
      yield* soon(requests(sandbox), (count) => count === 15)
      yield* Fiber.join(agents)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scoped("a Retry-After that is a date is measured from the answer's own", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push({
        times: 1,
        fault: {
          type: "status",
          status: 429,
          headers: { date: "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT" }
        }
      })
      const config = yield* openai.config(sandbox)
      const agent = yield* Effect.fork(openai.ask(config))
      yield* soon(ClientMap.stats, ({ quotas }) => quotas[0]?.models[0]?.closedUntil === 30_000)
      // It has its own pause first, of half a second at most; then it waits at the gate.
      yield* TestClock.adjust(500)
      yield* soon(ClientMap.stats, ({ quotas }) => quotas[0]?.queued === 1)
      yield* TestClock.adjust(29_499)
      assert.strictEqual(sandbox.stats().requests, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(agent)
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

describe("attempts", () => {
  it.live("are events of the calling span, each with its outcome", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push({ times: 1, fault: { type: "status", status: 500 } })
      const config = yield* openai.config(sandbox)
      const span = yield* Effect.withSpan(Effect.zipLeft(Effect.currentSpan, openai.ask(config)), "agent")
      // Events as effect's own tracer keeps them.
      const { events } = span as unknown as {
        readonly events: ReadonlyArray<readonly [string, bigint, Readonly<Record<string, unknown>>]>
      }
      assert.deepStrictEqual(
        events.map(([name, , attributes]) => [
          name,
          attributes["clientele.attempt.outcome"] ?? attributes["clientele.retry.reason"],
          attributes["http.response.status_code"],
          attributes["http.request.resend_count"]
        ]),
        [
          ["clientele.attempt", "server", 500, undefined],
          ["clientele.retry", "server", undefined, 1],
          ["clientele.attempt", "ok", 200, 1]
        ]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("are recorded once, also for a response whose body is cut", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push({ times: 1, fault: { type: "resetMidBody", afterBytes: 10 } })
      const config = yield* openai.config(sandbox)
      const asked = Effect.flip(openai.ask(config))
      const span = yield* Effect.withSpan(Effect.zipLeft(Effect.currentSpan, asked), "agent")
      const { events } = span as unknown as { readonly events: ReadonlyArray<readonly [string]> }
      assert.deepStrictEqual(
        events.map(([name]) => name),
        ["clientele.attempt"]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
