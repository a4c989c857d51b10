/** However a request comes about, it goes through the quota of its credential; and the statistics show it. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { hurried } from "../support/hurried.ts"
import { type Chat, question, subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const soon = <A, E, R>(look: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  TestServices.provideLive(eventually(look, isSo))

const drain = async (stream: AsyncIterable<unknown>) => {
  for await (const _ of stream);
}

/** A client by `withOptions`, which some SDKs have. */
const withOptions = (client: Chat): Chat => {
  const { withOptions } = client as { withOptions?: (options: object) => Chat }
  return withOptions === undefined ? client : withOptions.call(client, { maxRetries: 5 })
}

/** All ways to send a request, each once. */
const roads = (subject: Subject, config: ClientConfig) => {
  const raw = (f: (client: Chat) => PromiseLike<unknown>) =>
    Effect.scoped(Effect.flatMap(subject.get(config), (client) => Effect.promise(() => Promise.resolve(f(client)))))
  const streamed = { ...question("hello"), stream: true as const }
  return [
    subject.ask(config),
    Stream.runDrain(subject.stream(config)),
    subject.use(config, async (client) => drain(await client.chat.completions.create(streamed))),
    raw((client) => client.chat.completions.create(question("hello"))),
    raw(async (client) => drain(await client.chat.completions.create(streamed))),
    raw((client) => withOptions(client).chat.completions.create(question("hello")))
  ] as const
}

for (const subject of subjects) {
  describe(`each way to send a request of ${subject.name}`, () => {
    it.live("takes a permit until its body has ended", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ timePerToken: 2, tokens: 8 })
        const all = roads(subject, yield* subject.config(sandbox, { quota: { maxConcurrency: 1 } }))
        yield* Effect.all(all, { concurrency: "unbounded" })
        const { peakInFlight, requests } = sandbox.stats()
        assert.deepStrictEqual({ peakInFlight, requests }, { peakInFlight: 1, requests: all.length })
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.scoped("waits at a closed gate, and is retried by us", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        sandbox.faults.push({
          times: 1,
          fault: { type: "status", status: 429, headers: { "retry-after": "30" } }
        })
        const [first, ...others] = roads(subject, yield* subject.config(sandbox))
        const refused = yield* Effect.fork(first!)
        yield* soon(ClientMap.stats, ({ quotas }) => quotas[0]?.models[0]?.closedUntil === 30_000)
        const waiting = yield* Effect.forEach(others, (one) => Effect.fork(one))
        yield* soon(ClientMap.stats, ({ quotas }) => quotas[0]?.queued === others.length)
        yield* TestClock.adjust(29_999)
        assert.strictEqual(sandbox.stats().requests, 1)
        yield* TestClock.adjust(1)
        yield* Fiber.join(refused)
        yield* hurried(Effect.forEach(waiting, (fiber) => Fiber.join(fiber)))
        assert.strictEqual(sandbox.stats().requests, 2 + others.length)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  })

  describe(`the statistics of ${subject.name}`, () => {
    it.scoped("have requests waiting and in flight, the current limit, the rest, and the end of the closed gate", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "body" } }] })
        const config = yield* subject.config(sandbox, {
          quota: { maxConcurrency: 2, tokensPerMinute: 60_000, burst: 4 }
        })
        const quotas = Effect.map(ClientMap.stats, (stats) =>
          stats.quotas.map(({ baseURL, inFlight, models, provider, queued }) => ({
            provider,
            baseURL,
            inFlight,
            queued,
            models
          }))
        )
        const one = yield* Effect.fork(subject.ask(config))
        const [first] = yield* soon(quotas, ([it]) => it?.inFlight === 1)
        const cost = 60_000 - first!.models[0]!.tokensLeft
        // The prompt, and as much of an answer as is usual.
        assert.isAtLeast(cost, 256)
        assert.isAtMost(cost, 256 + 50)
        const agents = yield* Effect.forEach([1, 2, 3, 4], () => Effect.fork(subject.ask(config)))
        yield* soon(quotas, ([it]) => it?.queued === 3)
        const { baseURL, provider } = config
        const model = {
          model: "test-model",
          inFlight: 2,
          queued: 3,
          limit: 2,
          requestsLeft: Infinity,
          tokensLeft: 60_000 - 2 * cost,
          closedUntil: undefined
        }
        assert.deepStrictEqual(yield* quotas, [{ provider, baseURL, inFlight: 2, queued: 3, models: [model] }])
        assert.deepStrictEqual(
          (yield* ClientMap.stats).clients.map(({ inFlight, queued }) => [inFlight, queued]),
          [[5, 3]]
        )
        sandbox.faults.replace([{ fault: { type: "status", status: 429, headers: { "retry-after": "30" } } }])
        yield* Fiber.interrupt(one)
        yield* soon(quotas, ([it]) => it?.models[0]?.closedUntil !== undefined)
        const [after] = yield* quotas
        assert.strictEqual(after!.models[0]!.closedUntil, 30_000)
        yield* Fiber.interruptAll(agents)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  })
}
