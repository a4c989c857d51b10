import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientMap from "../src/ClientMap.ts"
import * as OpenAiClient from "../src/OpenAiClient.ts"
import * as Quota from "../src/Quota.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"
import { none } from "../src/internal/quota/limits.ts"
import { Demand } from "../src/internal/quota/demand.ts"
import { question, subjects } from "./support/providers.ts"
import { eventually } from "./support/wait.ts"

const demand = () => new Demand({ path: "/v1/chat/completions", body: '{"model":"m"}' })

/** Messages logged while `f` runs. */
const logged = <A, E, R>(f: (messages: ReadonlyArray<string>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const messages: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      messages.push(`${logLevel.label} ${String(message)}`)
    })
    return Effect.provide(f(messages), Logger.replace(Logger.defaultLogger, logger))
  })

describe("a quota", () => {
  it.effect("applies the tightest of its holders' limits while they are open, and warns once", () =>
    logged((messages) =>
      Effect.gen(function* () {
        const quota = yield* Quota.make("openai (https://example.com)")
        const passes = () => quota.tryEnter(demand()) !== undefined
        const [wide, narrow, third] = [yield* Scope.make(), yield* Scope.make(), yield* Scope.make()]
        yield* Scope.extend(quota.join({ ...none, maxConcurrency: 3 }), wide)
        yield* Scope.extend(quota.join({ ...none, maxConcurrency: 3 }), wide)
        assert.deepStrictEqual(messages, [])
        yield* Scope.extend(quota.join({ ...none, maxConcurrency: 1 }), narrow)
        yield* Scope.extend(quota.join({ ...none, maxConcurrency: 2 }), third)
        assert.strictEqual(messages.length, 1)
        assert.match(messages[0]!, /^WARN openai \(https:\/\/example.com\): .*1 at once/)
        assert.deepStrictEqual([passes(), passes()], [true, false])
        yield* Scope.close(narrow, Exit.void)
        assert.deepStrictEqual([passes(), passes()], [true, false])
        yield* Scope.close(third, Exit.void)
        assert.deepStrictEqual([passes(), passes()], [true, false])
        yield* Scope.close(wide, Exit.void)
        assert.isTrue(passes(), "nobody limits it any more")
      })
    )
  )
})

for (const subject of subjects) {
  describe(`quotas of ${subject.name}`, () => {
    it.live("maxConcurrency lasts until the body ends: two streams never overlap", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ timePerToken: 5, tokens: 10 })
        const config = yield* subject.config(sandbox, { quota: { maxConcurrency: 1 } })
        yield* Effect.all(
          Array.from({ length: 4 }, () => Stream.runDrain(subject.stream(config))),
          { concurrency: "unbounded" }
        )
        const { peakInFlight, requests } = sandbox.stats()
        assert.deepStrictEqual({ peakInFlight, requests }, { peakInFlight: 1, requests: 4 })
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("an interrupted waiter was never sent, and the next passes", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 150 })
        const config = yield* subject.config(sandbox, { quota: { maxConcurrency: 1 } })
        const first = yield* Effect.fork(subject.ask(config, "first"))
        yield* eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 1
        )
        const quitter = yield* Effect.fork(subject.ask(config, "quitter"))
        yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.queued === 1)
        const last = yield* Effect.fork(subject.ask(config, "last"))
        yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.queued === 2)
        yield* Fiber.interrupt(quitter)
        yield* Fiber.join(first)
        yield* Fiber.join(last)
        assert.strictEqual(sandbox.stats().requests, 2)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

const options = (sandbox: Sandbox.Sandbox, apiKey: string, maxConcurrency: number, timeout = 60_000) => ({
  apiKey: Redacted.make(apiKey),
  baseURL: sandbox.baseURL("openai"),
  quota: { maxConcurrency },
  timeout
})
const ask = (given: ReturnType<typeof options>) =>
  OpenAiClient.use(given, (client) => client.chat.completions.create(question("hi")))

describe("quotas of clients", () => {
  it.live("one key's requests do not delay another's", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        faults: [{ match: { apiKey: "stuck" }, fault: { type: "stall", at: "headers" } }]
      })
      const stuck = options(sandbox, "stuck", 1)
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(ask(stuck)))
      yield* eventually(ClientMap.stats, ({ clients }) => clients[0]?.queued === 2)
      yield* Effect.forEach([1, 2, 3, 4], () => ask(options(sandbox, "free", 1)), { concurrency: "unbounded" })
      yield* Effect.forEach(fibers, Fiber.interrupt)
      assert.deepStrictEqual(
        [...sandbox.stats().requestsByKey],
        [
          ["stuck", 1],
          ["free", 4]
        ]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("two configs of one key share the tightest limits, with one warning that names no key", () =>
    logged((messages) =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 20 })
        const wide = yield* OpenAiClient.config(options(sandbox, "sk-shared", 10))
        const narrow = yield* OpenAiClient.config(options(sandbox, "sk-shared", 2, 30_000))
        // Both are held, so both have a say all the time.
        yield* OpenAiClient.get(wide)
        yield* OpenAiClient.get(narrow)
        yield* Effect.forEach(
          Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? wide : narrow)),
          (config) => OpenAiClient.use(config, (client) => client.chat.completions.create(question("hi"))),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(sandbox.stats().peakInFlight, 2)
        const warnings = messages.filter((message) => message.startsWith("WARN"))
        assert.strictEqual(warnings.length, 1)
        assert.match(warnings[0]!, /tightest applies.*2 at once/)
        assert.notInclude(messages.join("\n"), "sk-shared")
      }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
    )
  )

  it.live("requestsPerMinute spaces requests, retries included", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        faults: [{ times: 1, fault: { type: "status", status: 429, headers: { "retry-after-ms": "0" } } }]
      })
      const given = { ...options(sandbox, "paced", 10), quota: { requestsPerMinute: 60_000 / 60 } }
      const start = performance.now()
      yield* Effect.forEach(
        [1, 2, 3, 4],
        () => OpenAiClient.use(given, (client) => client.chat.completions.create(question("hi"))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(sandbox.stats().requests, 5)
      assert.isAtLeast(performance.now() - start, 4 * 60 - 1)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
