/** Providers count by credential and model: what one meets is nobody else's business, unless it is the account's. */
import { describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import * as AzureOpenAiClient from "../../src/AzureOpenAiClient.ts"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { question, subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const ask = (subject: Subject, config: ClientConfig, model: string) =>
  subject.use(config, (client) => client.chat.completions.create({ ...question("hello"), model }))

/** By the clock on the wall, while the test's own stands still. */
const soon = <A, E, R>(look: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  TestServices.provideLive(eventually(look, isSo))

/** Waiting requests and closed gates, by model. */
const waiting = Effect.map(ClientMap.stats, ({ quotas }) =>
  quotas
    .flatMap(({ models }) => models.map(({ closedUntil, model, queued }) => [model, queued, closedUntil] as const))
    .sort()
)

/** The models that were asked for, in the order of the answers. */
const asked = (sandbox: Sandbox.Sandbox) => sandbox.stats().log.map(({ model }) => model)

for (const subject of subjects) {
  describe(`two models of one ${subject.name} key`, () => {
    it.scoped("have each their own gate", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        sandbox.faults.push({
          match: { model: "limited" },
          times: 1,
          fault: { type: "status", status: 429, headers: { "retry-after": "30" } }
        })
        const config = yield* subject.config(sandbox)
        const agents = yield* Effect.forEach([1, 2, 3], () => Effect.fork(ask(subject, config, "limited")))
        yield* soon(waiting, ([limited]) => limited?.[2] === 30_000)
        // No time passes, so they were not delayed.
        yield* Effect.forEach(Array.from({ length: 20 }), () => ask(subject, config, "free"), { concurrency: 5 })
        assert.strictEqual(asked(sandbox).filter((model) => model === "free").length, 20)
        yield* Fiber.interruptAll(agents)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("have each their own budget", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, { quota: { requestsPerMinute: 1 } })
        yield* ask(subject, config, "one")
        const second = yield* Effect.fork(ask(subject, config, "one"))
        yield* soon(waiting, ([one]) => one?.[1] === 1)
        yield* ask(subject, config, "other")
        assert.deepStrictEqual(asked(sandbox), ["one", "other"])
        assert.deepStrictEqual(
          (yield* waiting).filter(([, queued]) => queued > 0),
          [["one", 1, undefined]]
        )
        yield* Fiber.interrupt(second)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("have each their own permits", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({
          faults: [{ match: { model: "slow" }, fault: { type: "stall", at: "body" } }]
        })
        const config = yield* subject.config(sandbox, { quota: { maxConcurrency: 1 } })
        const stuck = yield* Effect.forEach([1, 2], () => Effect.fork(ask(subject, config, "slow")))
        yield* soon(waiting, ([slow]) => slow?.[1] === 1)
        yield* ask(subject, config, "quick")
        assert.deepStrictEqual(asked(sandbox), ["quick"])
        yield* Fiber.interruptAll(stuck)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    for (const [what, status, code, reason] of [
      ["a used-up account", 429, "insufficient_quota", "QuotaExceeded"],
      ["a refused key", 401, undefined, "Authentication"]
    ] as const) {
      it.live(`learn of ${what} from each other, without a retry`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ timePerToken: 20, tokens: 200 })
          const config = yield* subject.config(sandbox, { quota: { maxConcurrency: 1 } })
          const isLetIn = yield* Deferred.make<void>()
          const stream = yield* subject
            .streamWith(config, (client) =>
              client.chat.completions.create({ ...question("hello"), model: "one", stream: true })
            )
            .pipe(
              Stream.runForEach(() => Deferred.succeed(isLetIn, undefined)),
              Effect.fork
            )
          yield* Deferred.await(isLetIn)
          const waits = yield* Effect.fork(Effect.flip(ask(subject, config, "one")))
          yield* eventually(waiting, ([one]) => one?.[1] === 1)
          sandbox.faults.push({ match: { model: "other" }, fault: { type: "status", status, code } })
          const error = yield* Effect.flip(ask(subject, config, "other"))
          assert.deepInclude(error, { _tag: "RequestError", reason, status, attempts: 1 })
          // Answered while the stream still holds the only permit of its model.
          const its = yield* Fiber.join(waits)
          assert.deepInclude(its, { _tag: "RequestError", reason, processed: "no", attempts: 0 })
          assert.strictEqual(sandbox.stats().requests, 2)
          assert.strictEqual(sandbox.stats().inFlight, 1, "what is in flight goes on")
          yield* Fiber.interrupt(stream)
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )
    }
  })

  describe(`two tenants of ${subject.name}`, () => {
    it.scoped("with equal options and different keys do not delay each other", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        sandbox.faults.push({
          match: { apiKey: "sk-limited" },
          fault: { type: "status", status: 429, headers: { "retry-after": "30" } }
        })
        const limited = yield* Effect.fork(subject.ask(yield* subject.config(sandbox, { key: "sk-limited" })))
        yield* soon(waiting, ([model]) => model?.[2] === 30_000)
        const free = yield* subject.config(sandbox, { key: "sk-free" })
        yield* Effect.forEach(Array.from({ length: 20 }), () => subject.ask(free), { concurrency: 5 })
        assert.deepStrictEqual(
          [...sandbox.stats().requestsByKey],
          [
            ["sk-limited", 1],
            ["sk-free", 20]
          ]
        )
        yield* Fiber.interrupt(limited)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  })
}

describe("one credential", () => {
  it.scoped("is provider, base URL, key, organization and project, and no limit, timeout or header", () =>
    Effect.gen(function* () {
      const [sandbox, elsewhere] = [yield* Sandbox.make(), yield* Sandbox.make()]
      const base = { baseURL: sandbox.baseURL("openai") }
      const count = Effect.map(ClientMap.stats, ({ quotas }) => quotas.length)
      const hold = (options: OpenAiClient.Options) =>
        Effect.gen(function* () {
          const config = yield* openai.config(sandbox, { ...base, ...options })
          const before = yield* count
          yield* OpenAiClient.get(config as ClientConfig<"openai">)
          return (yield* count) - before
        })
      assert.strictEqual(yield* hold({}), 1)
      for (const same of [
        { timeout: 5_000 },
        { headers: { "x-tenant": "a" } },
        { maxRetries: 7 },
        { quota: { requestsPerMinute: 5 } },
        { transport: { maxConnections: 3 } }
      ]) {
        assert.strictEqual(yield* hold(same), 0, JSON.stringify(same))
      }
      for (const other of [
        { organization: "org-a" },
        { project: "proj-a" },
        { organization: "org-a", project: "proj-a" },
        { baseURL: elsewhere.baseURL("openai") }
      ]) {
        assert.strictEqual(yield* hold(other), 1, JSON.stringify(other))
      }
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

describe("requests to Azure", () => {
  it.scoped("are counted by deployment, whatever model their bodies name", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const quota = { requestsPerMinute: 1 }
      const one = yield* AzureOpenAiClient.config({
        apiKey: Redacted.make("sk-test"),
        endpoint: sandbox.baseURL("azure"),
        apiVersion: "2024-10-21",
        deployment: "one",
        quota
      })
      const ask = (model: string) =>
        AzureOpenAiClient.use(one, (client) => client.chat.completions.create({ ...question("hello"), model }))
      yield* ask("gpt-a")
      const second = yield* Effect.fork(ask("gpt-b"))
      yield* soon(waiting, ([model]) => model?.[1] === 1)
      assert.deepStrictEqual(yield* waiting, [["one", 1, undefined]])
      assert.strictEqual(sandbox.stats().requests, 1)
      yield* Fiber.interrupt(second)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
