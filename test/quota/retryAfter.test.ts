/**
 * Limits in providers' answers, in their own words, and the requests that these hold back. The clock stands still here.
 */
import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { hurried } from "../support/hurried.ts"
import { question, subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const soon = <A, E, R>(look: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  TestServices.provideLive(eventually(look, isSo))

type Headers = Readonly<Record<string, string>>

const status = (code: number, headers: Headers): Sandbox.FaultRule => ({
  fault: { type: "status", status: code, headers }
})

/** Until when the gates are closed, of each model that has any. */
const closed = Effect.map(ClientMap.stats, ({ quotas }) =>
  quotas.flatMap(({ models }) => models.map(({ closedUntil, model }) => [model, closedUntil] as const))
)
const queued = Effect.map(ClientMap.stats, ({ quotas }) => quotas[0]?.queued)
const requests = (sandbox: Sandbox.Sandbox) => Effect.sync(() => sandbox.stats().requests)

const date = "Wed, 21 Oct 2015 07:28:00 GMT"

/** Answers that all providers may give, and for how long they close the gate, in milliseconds. */
const common: ReadonlyArray<readonly [number, Headers, number | undefined]> = [
  [429, { "retry-after": "30" }, 30_000],
  // It may speak of one backend of many.
  [503, { "retry-after": "30" }, undefined],
  [429, { "retry-after": "0.25" }, 250],
  [429, { "retry-after-ms": "1234" }, 1_234],
  [429, { "retry-after-ms": "1234", "retry-after": "2" }, 1_234],
  [429, { date, "retry-after": "Wed, 21 Oct 2015 07:28:45 GMT" }, 45_000],
  [503, { date, "retry-after": "Wed, 21 Oct 2015 07:28:45 GMT" }, undefined],
  [429, { date, "retry-after": "Wed, 21 Oct 2015 07:27:00 GMT" }, undefined],
  [429, {}, undefined],
  [503, {}, undefined],
  [429, { "retry-after": "-5" }, undefined],
  // Concerns that request alone.
  [500, { "retry-after": "30" }, undefined]
]

const byRequests = (remaining: string, reset: string): Headers => ({
  "x-ratelimit-limit-requests": "500",
  "x-ratelimit-remaining-requests": remaining,
  "x-ratelimit-reset-requests": reset
})
const byTokens = (remaining: string, reset: string): Headers => ({
  "x-ratelimit-limit-tokens": "30000",
  "x-ratelimit-remaining-tokens": remaining,
  "x-ratelimit-reset-tokens": reset
})
const byDay = (remaining: string, reset: string): Headers => ({
  "x-ratelimit-limit-requests-day": "14400",
  "x-ratelimit-remaining-requests-day": remaining,
  "x-ratelimit-reset-requests-day": reset
})
const byMinute = (remaining: string, reset: string): Headers => ({
  "x-ratelimit-limit-tokens-minute": "60000",
  "x-ratelimit-remaining-tokens-minute": remaining,
  "x-ratelimit-reset-tokens-minute": reset
})

const ofOpenAi: typeof common = [
  [429, { ...byRequests("0", "6s"), ...byTokens("20000", "20s") }, 6_000],
  [429, { ...byRequests("12", "6s"), ...byTokens("0", "1m20s") }, 80_000],
  [429, { ...byRequests("0", "6s"), ...byTokens("0", "20ms") }, 6_000],
  [429, { ...byRequests("12", "6s"), ...byTokens("7", "20s") }, undefined],
  [429, { ...byRequests("0", "50s"), "retry-after": "3" }, 3_000]
]

const own: Readonly<Record<Subject["name"], typeof common>> = {
  openai: ofOpenAi,
  azure: ofOpenAi,
  groq: [
    // The day's requests are not what ran out.
    [429, { ...byRequests("14370", "12h2m59.56s"), ...byTokens("0", "7.66s") }, 7_660],
    [429, { ...byRequests("0", "2m59.56s"), ...byTokens("17997", "7.66s") }, 179_560],
    [429, { ...byRequests("0", "2m59.56s"), ...byTokens("0", "7.66s"), "retry-after": "2" }, 2_000]
  ],
  cerebras: [
    [429, { ...byDay("14000", "33011.382867"), ...byMinute("0", "11.5") }, 11_500],
    [429, { ...byDay("0", "330.5"), ...byMinute("60000", "11.5") }, 330_500],
    [429, { ...byDay("14000", "33011.382867"), ...byMinute("10", "11.5") }, undefined]
  ]
}

/** A success that was the last one for now. */
const last: Readonly<Record<Subject["name"], Headers>> = {
  openai: { ...byRequests("0", "3s"), ...byTokens("20000", "20s") },
  azure: { ...byRequests("10", "30s"), ...byTokens("0", "3s") },
  groq: { ...byRequests("14370", "12h2m59.56s"), ...byTokens("0", "3s") },
  cerebras: { ...byDay("14000", "33011.382867"), ...byMinute("0", "3.0") }
}

const ask = (subject: Subject, config: ClientConfig, model: string) =>
  subject.use(config, (client) => client.chat.completions.create({ ...question("hello"), model }))

for (const subject of subjects) {
  describe.concurrent(`answers of ${subject.name}`, () => {
    it.scoped("that refuse close the gate until then, by Retry-After or else by the exhausted limit", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const table = [...common, ...own[subject.name]]
        const config = yield* subject.config(sandbox, { maxRetries: 0, maxRetryAfter: "10 minutes" })
        const found = yield* Effect.forEach(table, ([code, headers], i) =>
          Effect.gen(function* () {
            sandbox.faults.replace([status(code, headers)])
            const error = yield* Effect.flip(ask(subject, config, `model-${i}`))
            assert.deepInclude(error, { _tag: "RequestError", status: code, attempts: 1 })
            return [code, headers, (yield* closed).find(([model]) => model === `model-${i}`)?.[1]] as const
          })
        )
        assert.deepStrictEqual(found, table)
        assert.strictEqual(sandbox.stats().requests, table.length)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("that were the last for now close the gate of their model before the first refusal, and no other", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        sandbox.faults.push({
          match: { model: "spent" },
          times: 1,
          fault: { type: "headers", headers: last[subject.name] }
        })
        const config = yield* subject.config(sandbox)
        yield* ask(subject, config, "spent")
        assert.deepStrictEqual(yield* closed, [["spent", 3_000]])
        const next = yield* Effect.fork(ask(subject, config, "spent"))
        yield* soon(queued, (count) => count === 1)
        yield* ask(subject, config, "other")
        yield* TestClock.adjust(2_999)
        assert.strictEqual(sandbox.stats().requests, 2)
        yield* TestClock.adjust(1)
        yield* Fiber.join(next)
        assert.deepStrictEqual([sandbox.stats().requests, [...sandbox.stats().responsesByStatus]], [3, [[200, 3]]])
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped(
      "with a Retry-After hold all holders of the key; then one goes ahead, and the others after its answer",
      () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make()
          sandbox.faults.push(
            { times: 1, ...status(429, { "retry-after": "30" }) },
            { times: 1, fault: { type: "stall", at: "headers", ms: 700 } }
          )
          // Two clients of one key.
          const configs = [
            yield* subject.config(sandbox),
            yield* subject.config(sandbox, { headers: { "x-app": "2" } })
          ]
          const first = yield* Effect.fork(subject.ask(configs[0]!))
          yield* soon(closed, ([model]) => model?.[1] === 30_000)
          const others = yield* Effect.fork(
            Effect.forEach(Array.from({ length: 19 }), (_, i) => subject.ask(configs[i % 2]!), {
              concurrency: "unbounded"
            })
          )
          yield* soon(queued, (count) => count === 19)
          // The one that was refused has a pause of its own first.
          yield* TestClock.adjust(500)
          yield* soon(queued, (count) => count === 20)
          yield* TestClock.adjust(29_499)
          assert.strictEqual(sandbox.stats().requests, 1)
          yield* TestClock.adjust(1)
          yield* soon(requests(sandbox), (count) => count === 2)
          yield* TestServices.provideLive(Effect.sleep(50))
          assert.strictEqual(sandbox.stats().requests, 2, "a probe, and nobody beside it")
          yield* Fiber.join(first)
          yield* hurried(Fiber.join(others))
          assert.deepStrictEqual(
            [sandbox.stats().requests, [...sandbox.stats().responsesByStatus]],
            [
              21,
              [
                [429, 1],
                [200, 20]
              ]
            ]
          )
        }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped(
      "with a Retry-After beyond maxRetryAfter fail typed, and once probes agree all later requests, unsent",
      () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ faults: [status(429, { "retry-after": "90" })] })
          const config = yield* subject.config(sandbox)
          const patient = yield* subject.config(sandbox, { maxRetryAfter: "2 minutes" })
          const facts = (error: Effect.Effect.Error<ReturnType<typeof subject.ask>>) =>
            error._tag === "RequestError"
              ? [error.reason, error.processed, error.attempts, Duration.toMillis(error.retryAfter ?? 0)]
              : [error._tag]
          assert.deepStrictEqual(facts(yield* Effect.flip(subject.ask(config))), ["RateLimited", "yes", 1, 90_000])
          for (const pause of [1_000, 2_000]) {
            yield* TestClock.adjust(pause)
            assert.deepStrictEqual(facts(yield* Effect.flip(subject.ask(config))), ["RateLimited", "yes", 1, 90_000])
          }
          yield* TestClock.adjust(1_000)
          assert.deepStrictEqual(facts(yield* Effect.flip(subject.ask(config))), ["RateLimited", "no", 0, 89_000])
          sandbox.faults.replace([])
          const waits = yield* Effect.fork(subject.ask(patient))
          yield* soon(queued, (count) => count === 1)
          yield* TestClock.adjust(2_999)
          assert.strictEqual(sandbox.stats().requests, 3)
          yield* TestClock.adjust(1)
          yield* Fiber.join(waits)
          yield* subject.ask(config)
        }).pipe(Effect.provide(ClientLayer.layer()))
    )
  })
}

describe.concurrent("several refusals at once", () => {
  for (const seconds of [
    ["20", "5", undefined],
    ["5", undefined, "20"],
    [undefined, "20", "5"]
  ] as const) {
    it.scoped(`of ${seconds.map((it) => it ?? "no")} seconds close the gate for the longest`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        sandbox.faults.replace(
          seconds.map((it) => ({ times: 1, ...status(429, it === undefined ? {} : { "retry-after": it }) }))
        )
        const config = yield* openai.config(sandbox, { maxRetries: 0 })
        yield* Effect.forEach(seconds, () => Effect.flip(openai.ask(config)), { concurrency: "unbounded" })
        assert.strictEqual(sandbox.stats().rateLimited, 3)
        assert.deepStrictEqual(yield* closed, [["test-model", 20_000]])
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  }
})
