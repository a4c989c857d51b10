import * as AiError from "@effect/ai/AiError"
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as AzureOpenAiModel from "../../src/AzureOpenAiModel.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const apiKey = Redacted.make("sk-test")

const subjects = [
  {
    name: "openai" as const,
    at: (baseURL: string, options: OpenAiModel.EmbeddingOptions = {}) =>
      OpenAiModel.embeddingModel("text-embedding-3-small", { ...options, client: { apiKey, baseURL, maxRetries: 0 } })
  },
  {
    name: "azure" as const,
    at: (endpoint: string, options: OpenAiModel.EmbeddingOptions = {}) =>
      AzureOpenAiModel.embeddingModel("text-embedding-3-small", {
        ...options,
        client: { apiKey, endpoint, apiVersion: "2024-10-21", maxRetries: 0 }
      })
  }
]

describe.each(subjects)("the embedding model of $name", ({ at, name }) => {
  it.scopedLive("gives agents that ask at once their own vectors out of one request", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        const texts = Array.from({ length: 100 }, (_, i) => `row ${i}`)
        const together = yield* Effect.forEach(texts, (text) => model.embed(text), { concurrency: "unbounded" })
        assert.strictEqual(sandbox.stats().requests, 1)
        assert.strictEqual(together[7]?.length, 8)
        assert.deepStrictEqual(together[7], yield* model.embed("row 7"))
        assert.notDeepEqual(together[7], together[8])
      }).pipe(Effect.provide(at(sandbox.baseURL(name), { dimensions: 8 })))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("tells all of them what went wrong with it", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [{ times: 1, fault: { type: "status", status: 500 } }] })
      yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        const errors = yield* Effect.forEach(["a", "b"], (text) => Effect.flip(model.embed(text)), {
          concurrency: "unbounded"
        })
        for (const error of errors) assert.isTrue(error instanceof AiError.HttpResponseError, String(error))
        assert.strictEqual(sandbox.stats().requests, 1)
      }).pipe(Effect.provide(at(sandbox.baseURL(name))))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
