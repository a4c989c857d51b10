/** A layer of a model can't fail: each call says what is wrong with its options. */
import type * as AiError from "@effect/ai/AiError"
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as AzureOpenAiModel from "../../src/AzureOpenAiModel.ts"
import * as CerebrasModel from "../../src/CerebrasModel.ts"
import * as GroqModel from "../../src/GroqModel.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import { causeOf, kindOf, kinds } from "./lines.ts"

const asks = {
  text: LanguageModel.generateText({ prompt: "hello" }),
  stream: Stream.runDrain(LanguageModel.streamText({ prompt: "hello" }))
}

const embeds = {
  one: Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embed("hello")),
  many: Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embedMany(["hello", "world"]))
}

const language = {
  openai: OpenAiModel.model,
  responses: OpenAiModel.responsesModel,
  azure: AzureOpenAiModel.model,
  groq: GroqModel.model,
  cerebras: CerebrasModel.model
}

const embedding = { openai: OpenAiModel.embeddingModel, azure: AzureOpenAiModel.embeddingModel }

const client = { apiKey: Redacted.make("sk"), maxRetries: 0 }

/** Options as JavaScript may pass them, and the one that is wrong. */
type Given = readonly [options: unknown, field: string, model?: unknown]

const wrong: ReadonlyArray<Given> = [
  [null, "options"],
  ["gpt", "options"],
  [{ client: null }, "options"],
  [{ client: { ...client, timeOut: 5 } }, "timeOut"],
  [{ client, apiKey: "plain" }, "apiKey"],
  [{ client, body: 5 }, "body"],
  [{ client, body: { big: 1n } }, "body"],
  [{ client }, "model", ""],
  [{ client }, "model", undefined]
]

const wrongLanguage: ReadonlyArray<Given> = [
  ...wrong,
  [{ client, temprature: 0 }, "temprature"],
  [{ client, temperature: Number.NaN }, "temperature"],
  [{ client, topP: "1" }, "topP"],
  [{ client, maxTokens: 0 }, "maxTokens"],
  [{ client, seed: 1.5 }, "seed"],
  [{ client, stop: "END" }, "stop"],
  [{ client, stop: [1] }, "stop"],
  [{ client, frequencyPenalty: null }, "frequencyPenalty"],
  [{ client, presencePenalty: Infinity }, "presencePenalty"],
  [{ client, reasoningEffort: "" }, "reasoningEffort"],
  [{ client, parallelToolCalls: 1 }, "parallelToolCalls"],
  [{ client, strict: "no" }, "strict"]
]

const wrongEmbedding: ReadonlyArray<Given> = [
  ...wrong,
  [{ client, dimensions: 0 }, "dimensions"],
  [{ client, window: "soon" }, "window"],
  [{ client, window: -1 }, "window"],
  [{ client, window: Infinity }, "window"],
  [{ client, maxBatchSize: 0 }, "maxBatchSize"]
]

/** Which is the first that is missing. */
const missing = (name: string): Given => [undefined, name === "azure" ? "baseURL" : "apiKey"]

/** A `Given` without a model is one of a model that could be. */
const named = (given: Given): string => (given.length === 3 ? given[2] : "m") as string

const says = (error: AiError.AiError, field: string, given: string): void => {
  assert.strictEqual(kindOf(error), kinds.options, given)
  assert.deepInclude(causeOf(error), { _tag: "OptionsError", field }, given)
  assert.notInclude(error.message, 'plain"')
}

describe("a layer of a model", () => {
  it.effect.each(Object.entries(language))(
    "of language never fails: each call reports the invalid option (%s)",
    ([name, model]) =>
      Effect.gen(function* () {
        const { requests } = yield* ClientMapTest.ClientMapTest
        for (const given of [...wrongLanguage, missing(name)]) {
          const [options, field] = given
          const of = model(named(given), options as never)
          const errors = yield* Effect.all(
            [asks.text, asks.text, asks.stream].map((ask) => Effect.flip(Effect.asVoid(ask))),
            { concurrency: 1 }
          ).pipe(Effect.provide(of))
          for (const error of errors) says(error, field, `${name} ${field}`)
        }
        assert.strictEqual(requests.length, 0)
      }).pipe(Effect.provide(ClientMapTest.layer()))
  )

  it.effect.each(Object.entries(embedding))("of embeddings never fails either (%s)", ([name, model]) =>
    Effect.gen(function* () {
      const { requests } = yield* ClientMapTest.ClientMapTest
      for (const given of [...wrongEmbedding, missing(name)]) {
        const [options, field] = given
        const of = model(named(given), options as never)
        const errors = yield* Effect.all([Effect.flip(embeds.one), Effect.flip(embeds.many)]).pipe(Effect.provide(of))
        for (const error of errors) says(error, field, `${name} ${field}`)
      }
      assert.strictEqual(requests.length, 0)
    }).pipe(Effect.provide(ClientMapTest.layer()))
  )

  it.effect("validates settings of one call too", () =>
    Effect.gen(function* () {
      const of = OpenAiModel.model("m", { client })
      const bad = { temperature: "hot" } as never
      for (const ask of [Effect.asVoid(asks.text), asks.stream]) {
        const error = yield* Effect.flip(Effect.provide(OpenAiModel.withSettings(ask, bad), of))
        says(error, "temperature", "withSettings")
        yield* Effect.provide(OpenAiModel.withSettings(ask, { temperature: 1 }), of)
      }
    }).pipe(Effect.provide(ClientMapTest.layer()))
  )
})
