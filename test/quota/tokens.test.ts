/** Tokens are taken by an estimate and settled by what the answer says that it cost. The clock stands still here. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestServices from "effect/TestServices"
import { assert } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { question, subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const LIMIT = 100_000
const quota = { tokensPerMinute: LIMIT, burst: 10 }

const soon = <A, E, R>(look: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  TestServices.provideLive(eventually(look, isSo))

const model = Effect.map(ClientMap.stats, ({ quotas }) => quotas[0]?.models[0])

/** Tokens spent, once nothing is in flight. */
const spent = Effect.map(
  soon(ClientMap.stats, ({ quotas }) => quotas[0]?.inFlight === 0),
  ({ quotas }) => LIMIT - (quotas[0]!.models[0]?.tokensLeft ?? LIMIT)
)

/** Places of the usage in answers of the SDKs. */
interface Told {
  readonly usage?: { readonly total_tokens?: number } | null
  readonly x_groq?: { readonly usage?: { readonly total_tokens?: number } | null } | null
  readonly response?: { readonly usage?: { readonly total_tokens?: number } | null }
}
const usageOf = (value: unknown): number | undefined => {
  const { response, usage, x_groq } = value as Told
  return (usage ?? x_groq?.usage ?? response?.usage)?.total_tokens
}

const lastUsage = (values: Iterable<unknown>): number | undefined => {
  let last: number | undefined
  for (const value of values) last = usageOf(value) ?? last
  return last
}

const streamed = (stream_options: object) => ({ ...question("hello"), stream: true as const, ...stream_options })

for (const subject of subjects) {
  describe.concurrent(`tokens of ${subject.name}`, () => {
    it.scoped("are settled by the usage of an answer", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tokens: 37 })
        const config = yield* subject.config(sandbox, { quota })
        const answer = yield* subject.use(config, (client) => client.chat.completions.create(question("hello")))
        const usage = usageOf(answer)
        assert.isAbove(usage ?? 0, 37)
        assert.strictEqual(yield* spent, usage)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("are settled by the usage of a stream", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tokens: 41 })
        const config = yield* subject.config(sandbox, { quota })
        const pieces = yield* Stream.runCollect(
          subject.streamWith(config, (client) =>
            client.chat.completions.create(streamed({ stream_options: { include_usage: true } }))
          )
        )
        const usage = lastUsage(pieces)
        assert.isAbove(usage ?? 0, 41)
        assert.strictEqual(yield* spent, usage)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("are taken while the answer is being made, and kept if it reports none", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "body" } }] })
        const config = yield* subject.config(sandbox, { quota })
        const agent = yield* Effect.fork(
          subject.use(config, (client) =>
            client.chat.completions.create(Object.assign(question("hello"), { max_tokens: 5_000 }))
          )
        )
        const at = yield* soon(model, (it) => it !== undefined && it.inFlight === 1)
        assert.isAtMost(at!.tokensLeft, LIMIT - 5_000)
        assert.isAtLeast(at!.tokensLeft, LIMIT - 5_100)
        yield* soon(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 1
        )
        yield* Fiber.interrupt(agent)
        assert.strictEqual(yield* spent, LIMIT - at!.tokensLeft)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scoped("are given back by a refusal", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "status", status: 400 } }] })
        const config = yield* subject.config(sandbox, { quota })
        yield* Effect.flip(subject.ask(config))
        assert.strictEqual(yield* spent, 0)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  })
}

const responses = (config: ClientConfig) => ({
  json: OpenAiClient.use(config as ClientConfig<"openai">, (client) =>
    client.responses.create({ model: "m", input: "hello" })
  ),
  events: OpenAiClient.stream(config as ClientConfig<"openai">, (client) =>
    client.responses.create({ model: "m", input: "hello", stream: true })
  )
})

describe.concurrent("tokens of a request that sets no bound to its answer", () => {
  it.scoped("are estimated by the recent answers", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ tokens: 1_256 })
      const config = yield* openai.config(sandbox, { quota })
      /** Tokens taken for a request that is never answered. */
      const taken = Effect.gen(function* () {
        sandbox.faults.replace([{ fault: { type: "stall", at: "headers" } }])
        const before = (yield* model)?.tokensLeft ?? LIMIT
        const agent = yield* Effect.fork(openai.ask(config))
        const at = yield* soon(model, (it) => it !== undefined && it.inFlight === 1)
        yield* Fiber.interrupt(agent)
        sandbox.faults.replace([])
        return before - at!.tokensLeft
      })
      const first = yield* taken
      yield* openai.ask(config)
      // A tenth of the way from 256 to 1,256.
      assert.strictEqual(yield* taken, first + 100)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

describe.concurrent("tokens of OpenAI's other answers", () => {
  it.scoped("are settled by a response's usage, and by that of its stream", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ tokens: 33 })
      const { events, json } = responses(yield* openai.config(sandbox, { quota }))
      const first = usageOf(yield* json)
      assert.isAbove(first ?? 0, 33)
      assert.strictEqual(yield* spent, first)
      const second = lastUsage(yield* Stream.runCollect(events))
      assert.isAbove(second ?? 0, 33)
      assert.strictEqual(yield* spent, first! + second!)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scoped("are settled by the usage of embeddings", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai.config(sandbox, { quota })
      const answer = yield* OpenAiClient.use(config as ClientConfig<"openai">, (client) =>
        client.embeddings.create({ model: "m", input: ["hello", "some more words"] })
      )
      assert.strictEqual(yield* spent, answer.usage.total_tokens)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
