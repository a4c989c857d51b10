/** One agent's source over four layers, against the sandbox. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { causeOf, kindOf, kinds, statusOf, usageOf } from "./lines.ts"
import { subjects } from "./models.ts"

const Weather = Tool.make("weather", {
  description: "the weather in a city",
  parameters: { city: Schema.String, unit: Schema.optional(Schema.Literal("C", "F")) },
  success: Schema.Struct({ degrees: Schema.Number })
})

const toolkit = Toolkit.make(Weather)
const handlers = toolkit.toLayer({ weather: () => Effect.succeed({ degrees: 21 }) })

class Person extends Schema.Class<Person>("Person")({
  name: Schema.String,
  age: Schema.optional(Schema.Number),
  tags: Schema.Array(Schema.String)
}) {}

class Search extends Schema.TaggedClass<Search>()("Search", { query: Schema.String }) {}
class Answer extends Schema.TaggedClass<Answer>()("Answer", { text: Schema.optional(Schema.String) }) {}
const Step = Schema.Union(Search, Answer)

describe.each(subjects)("the model of $name", ({ at, provider }) => {
  it.scopedLive("answers with text, usage and a finish reason", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const answer = yield* LanguageModel.generateText({ prompt: "hello" }).pipe(
        Effect.provide(at(sandbox.baseURL(provider)))
      )
      assert.isNotEmpty(answer.text)
      assert.strictEqual(answer.finishReason, "stop")
      const { inputTokens = 0, outputTokens = 0, totalTokens } = usageOf(answer.usage)
      assert.isAbove(inputTokens, 0)
      assert.strictEqual(totalTokens, inputTokens + outputTokens)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("streams the text that it would have given whole", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const model = at(sandbox.baseURL(provider))
      const whole = yield* Effect.provide(LanguageModel.generateText({ prompt: "hello" }), model)
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "hello" })).pipe(
        Effect.map((all) => Chunk.toReadonlyArray(all)),
        Effect.provide(model)
      )
      const text = parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : [])).join("")
      assert.strictEqual(text, whole.text)
      const last = parts.at(-1)
      assert.isTrue(last?.type === "finish" && last.reason === "stop" && (usageOf(last.usage).totalTokens ?? 0) > 0)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("calls tools, and gets their results", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const answer = yield* LanguageModel.generateText({ prompt: "what does weather say?", toolkit }).pipe(
        Effect.provide(at(sandbox.baseURL(provider)))
      )
      assert.strictEqual(answer.finishReason, "tool-calls")
      assert.strictEqual(answer.toolCalls.length, 1)
      assert.deepStrictEqual(answer.toolResults[0]?.result, { degrees: 21 })
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("gives objects of a schema, with what is optional left out", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const answer = yield* LanguageModel.generateObject({ prompt: "a person", schema: Person }).pipe(
        Effect.provide(at(sandbox.baseURL(provider)))
      )
      assert.isTrue(answer.value instanceof Person)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("gives one of several shapes", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const { value } = yield* LanguageModel.generateObject({ prompt: "what next?", schema: Step }).pipe(
        Effect.provide(at(sandbox.baseURL(provider)))
      )
      assert.isTrue(value instanceof Search || value instanceof Answer)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("reports the provider's refusal, with the request sent", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "status", status: 429 } }] })
      const error = yield* LanguageModel.generateText({ prompt: "hello" }).pipe(
        Effect.provide(at(sandbox.baseURL(provider))),
        Effect.flip
      )
      assert.deepStrictEqual([kindOf(error), statusOf(error)], [kinds.limit, 429])
      assert.deepInclude(causeOf(error), { _tag: "RequestError", reason: "RateLimited", processed: "yes" })
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("reports garbage, a cut stream, and an unreachable server", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        faults: [
          { times: 1, fault: { type: "garbage", what: "json" } },
          { times: 1, fault: { type: "resetMidBody", afterBytes: 400 } }
        ]
      })
      const model = at(sandbox.baseURL(provider))
      const garbage = yield* Effect.flip(Effect.provide(LanguageModel.generateText({ prompt: "hello" }), model))
      assert.strictEqual(kindOf(garbage), kinds.garbage)
      const cut = yield* LanguageModel.streamText({ prompt: "hello" }).pipe(
        Stream.runDrain,
        Effect.provide(model),
        Effect.flip
      )
      assert.strictEqual(kindOf(cut), kinds.connection)
      assert.deepInclude(causeOf(cut), { _tag: "RequestError", reason: "Connection" })
      const nobody = yield* LanguageModel.generateText({ prompt: "hello" }).pipe(
        Effect.provide(at("http://127.0.0.1:9")),
        Effect.flip
      )
      assert.strictEqual(kindOf(nobody), kinds.connection)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

describe("a model", () => {
  it.scopedLive("leases its client for each call, and asks for another when that has gone", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const client = yield* OpenAiClient.config({ apiKey: Redacted.make("k"), baseURL: sandbox.baseURL("openai") })
      const asked = Effect.gen(function* () {
        const model = LanguageModel.generateText({ prompt: "hello" })
        const counts = Effect.map(ClientMap.stats, ({ clients, hits, misses }) => ({
          hits,
          misses,
          inUse: clients.reduce((sum, { inFlight, leases }) => sum + inFlight + leases, 0)
        }))
        yield* Effect.all([model, model, model])
        assert.deepStrictEqual(yield* counts, { hits: 2, misses: 1, inUse: 0 })
        yield* ClientMap.invalidate(client)
        yield* Effect.all([model, model])
        assert.deepStrictEqual(yield* counts, { hits: 3, misses: 2, inUse: 0 })
      })
      yield* Effect.provide(asked, OpenAiModel.model("m", { client }))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
