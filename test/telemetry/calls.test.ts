/** Calls of models that clients of SDKs make, by the conventions for generative AI. */
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as PooledHttpClient from "../../src/HttpClient.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { series } from "../support/metrics.ts"
import { subjects } from "../support/providers.ts"
import { eventually, until } from "../support/wait.ts"

const DURATION = "gen_ai.client.operation.duration"
const TOKENS = "gen_ai.client.token.usage"
const FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"

const of = (model: string) => ({ "gen_ai.request.model": model })

/** Counts of ended calls of a model, by their labels. */
const durations = (model: string) =>
  series(DURATION, of(model)).map(({ count, labels }) => [
    labels["gen_ai.provider.name"],
    labels["gen_ai.operation.name"],
    labels["error.type"],
    count
  ])

const tokens = (model: string) =>
  Object.fromEntries(
    series(TOKENS, of(model)).map(({ count, labels, sum }) => [labels["gen_ai.token.type"], { count, sum }])
  )

interface Answer {
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

const question = (model: string) => ({ model, messages: [{ role: "user" as const, content: "hello" }] })

/** A model that no other test asks. */
let made = 0
const fresh = () => `model-${made++}`

const layer = ClientLayer.layer()

const openai = (sandbox: Sandbox.Sandbox, options: OpenAiClient.Options = {}) =>
  OpenAiClient.config({ apiKey: Redacted.make("sk"), baseURL: sandbox.baseURL("openai"), maxRetries: 0, ...options })

const ask = (config: ClientConfig<"openai">, model: string) =>
  OpenAiClient.use(config, (client) => client.chat.completions.create(question(model)))

const names = { openai: "openai", azure: "azure.ai.openai", groq: "groq", cerebras: "cerebras" }

describe("a call through an SDK's client", () => {
  for (const subject of subjects) {
    it.scopedLive(`is metered for ${subject.name}: its duration, and the tokens of its usage`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox)
        const model = fresh()
        const answer = (yield* subject.use(config, (client) =>
          client.chat.completions.create(question(model))
        )) as Answer
        assert.deepStrictEqual(durations(model), [[names[subject.name], "chat", undefined, 1]])
        assert.deepStrictEqual(tokens(model), {
          input: { count: 1, sum: answer.usage!.prompt_tokens },
          output: { count: 1, sum: answer.usage!.completion_tokens }
        })
        assert.deepStrictEqual(series(FIRST_CHUNK, of(model)), [])
      }).pipe(Effect.provide(layer))
    )
  }

  it.scopedLive("that streams lasts until the last chunk, and its first is noted", () =>
    Effect.gen(function* () {
      // So long that the end has not come when the first is looked at, however late that is.
      const sandbox = yield* Sandbox.make({ timePerToken: 400, tokens: 4 })
      const config = yield* openai(sandbox)
      const model = fresh()
      let looked = false
      let usage: Answer["usage"]
      yield* OpenAiClient.stream(config, (client) =>
        client.chat.completions.create({
          ...question(model),
          stream: true,
          stream_options: { include_usage: true }
        })
      ).pipe(
        Stream.runForEach((chunk) =>
          Effect.sync(() => {
            usage ??= chunk.usage
            if (looked || !chunk.choices[0]?.delta.content) return
            looked = true
            assert.deepStrictEqual(durations(model), [])
          })
        )
      )
      yield* eventually(
        Effect.sync(() => durations(model)),
        ({ length }) => length > 0
      )
      assert.deepStrictEqual(durations(model), [["openai", "chat", undefined, 1]])
      const [all] = series(DURATION, of(model))
      const [first] = series(FIRST_CHUNK, of(model))
      assert.strictEqual(first!.count, 1)
      assert.isBelow(first!.sum, all!.sum)
      assert.deepStrictEqual(tokens(model), {
        input: { count: 1, sum: usage!.prompt_tokens },
        output: { count: 1, sum: usage!.completion_tokens }
      })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("records its tokens once where a budget counts them too, whole or streamed", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai(sandbox, { quota: { tokensPerMinute: 1_000_000 } })
      const model = fresh()
      const { usage } = yield* ask(config, model)
      const streamed = { ...question(model), stream: true, stream_options: { include_usage: true } } as const
      yield* Stream.runDrain(OpenAiClient.stream(config, (client) => client.chat.completions.create(streamed)))
      assert.deepStrictEqual(tokens(model), {
        input: { count: 2, sum: 2 * usage!.prompt_tokens },
        output: { count: 2, sum: 2 * usage!.completion_tokens }
      })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is one call however often it is sent, and fails by its last status or reason", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const patient = yield* openai(sandbox, { maxRetries: 2 })
      const config = yield* openai(sandbox)
      const [retried, refused, broken, cut] = [fresh(), fresh(), fresh(), fresh()]
      sandbox.faults.push({ times: 2, fault: { type: "status", status: 503 } })
      yield* ask(patient, retried)
      assert.deepStrictEqual(durations(retried), [["openai", "chat", undefined, 1]])
      sandbox.faults.push({ times: 1, fault: { type: "status", status: 400 } })
      yield* Effect.flip(ask(config, refused))
      assert.deepStrictEqual(durations(refused), [["openai", "chat", "400", 1]])
      sandbox.faults.push({ times: 1, fault: { type: "resetBeforeHeaders" } })
      yield* Effect.flip(ask(config, broken))
      assert.deepStrictEqual(durations(broken), [["openai", "chat", "Connection", 1]])
      sandbox.faults.push({ times: 1, fault: { type: "resetMidBody", afterBytes: 400 } })
      yield* OpenAiClient.stream(config, (client) =>
        client.chat.completions.create({ ...question(cut), stream: true })
      ).pipe(Stream.runDrain, Effect.flip)
      assert.deepStrictEqual(durations(cut), [["openai", "chat", "Connection", 1]])
      assert.deepStrictEqual([refused, broken, cut].map(tokens), [{}, {}, {}])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that is interrupted ends there", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
      const config = yield* openai(sandbox)
      const model = fresh()
      const fiber = yield* Effect.fork(ask(config, model))
      yield* Effect.promise(() => until(() => sandbox.stats().requests === 1))
      assert.deepStrictEqual(durations(model), [])
      yield* Fiber.interrupt(fiber)
      yield* eventually(
        Effect.sync(() => durations(model)),
        ({ length }) => length > 0
      )
      assert.deepStrictEqual(durations(model), [["openai", "chat", "Aborted", 1]])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("has the name of its operation, and other requests are not recorded", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai(sandbox)
      const model = fresh()
      const before = series(DURATION).length
      yield* OpenAiClient.use(config, (client) => client.models.list())
      assert.strictEqual(series(DURATION).length, before)
      yield* OpenAiClient.use(config, (client) => client.responses.create({ model, input: "hello" }))
      yield* OpenAiClient.use(config, (client) => client.embeddings.create({ model, input: "hello" }))
      assert.deepStrictEqual(durations(model), [
        ["openai", "chat", undefined, 1],
        ["openai", "embeddings", undefined, 1]
      ])
      assert.deepStrictEqual(
        series(TOKENS, of(model)).map(({ labels }) => [labels["gen_ai.operation.name"], labels["gen_ai.token.type"]]),
        [
          ["chat", "input"],
          ["chat", "output"],
          ["embeddings", "input"]
        ]
      )
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is metered through the Promise API and an HttpClient too", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const baseURL = sandbox.baseURL("openai")
      const model = fresh()
      yield* Effect.promise(async () => {
        await using clients = makeClients()
        await getOpenAIClient({ apiKey: "sk", baseURL }, clients).chat.completions.create(question(model))
      })
      yield* HttpClientRequest.post(`${baseURL}/chat/completions`).pipe(
        HttpClientRequest.bearerToken("sk"),
        HttpClientRequest.bodyUnsafeJson(question(model)),
        HttpClient.execute,
        Effect.flatMap(({ json }) => json),
        Effect.provide(Layer.provide(PooledHttpClient.layer(), layer))
      )
      // The provider behind a server on this machine is unknown.
      assert.deepStrictEqual(durations(model), [
        ["openai", "chat", undefined, 1],
        ["_other", "chat", undefined, 1]
      ])
    })
  )

  it.scopedLive("that a model of @effect/ai makes is metered once, whole, streamed or embedded", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const client = { apiKey: Redacted.make("sk"), baseURL: sandbox.baseURL("openai") }
      const [chat, embedding] = [fresh(), fresh()]
      const model = OpenAiModel.model(chat, { client })
      yield* Effect.provide(LanguageModel.generateText({ prompt: "hello" }), model)
      yield* Stream.runDrain(Stream.provideSomeLayer(LanguageModel.streamText({ prompt: "hello" }), model))
      yield* EmbeddingModel.EmbeddingModel.pipe(
        Effect.flatMap(({ embed }) => embed("hello")),
        Effect.provide(OpenAiModel.embeddingModel(embedding, { client }))
      )
      assert.deepStrictEqual(durations(chat), [["openai", "chat", undefined, 2]])
      assert.strictEqual(tokens(chat)["input"]!.count, 2)
      assert.strictEqual(series(FIRST_CHUNK, of(chat))[0]!.count, 1)
      assert.deepStrictEqual(durations(embedding), [["openai", "embeddings", undefined, 1]])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("makes no more series for five hundred models than for a hundred", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai(sandbox)
      yield* Effect.forEach(
        Array.from({ length: 500 }, (_, i) => i),
        (i) => ask(config, `made up ${i}`),
        { concurrency: 50, discard: true }
      )
      const models = new Set(series(DURATION).map(({ labels }) => labels["gen_ai.request.model"]))
      assert.isAtMost(models.size, 101)
      assert.isAtLeast(series(DURATION, of("_other"))[0]!.count, 400)
      assert.match(yield* Telemetry.prometheus, /^gen_ai_client_operation_duration_count\{.*"_other"\} \d+$/m)
    }).pipe(Effect.provide(layer))
  )
})
