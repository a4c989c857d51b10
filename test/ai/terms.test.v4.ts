/** Terms of effect/ai that models and tool loops have on Effect 4 alone. */
import { assert, describe, it } from "@effect/vitest"
import * as AiError from "effect/ai/AiError"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type ClientError, OptionsError, PoolError, RequestError, type RequestReason } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as Errors from "../../src/internal/ai/errors.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import * as Scripted from "./scripted.ts"

const client = { apiKey: Redacted.make("sk"), maxRetries: 0 }
const model = OpenAiModel.model("m", { client })

const place = { provider: "openai", baseURL: "https://api.openai.com/v1" }
const refused = (reason: RequestReason, status?: number, cause?: unknown): RequestError =>
  new RequestError({
    ...place,
    reason,
    status,
    cause,
    detail: "not now",
    retryAfter: reason === "RateLimited" ? Duration.seconds(3) : undefined,
    processed: "no",
    attempts: 1
  })
const options = new OptionsError({ provider: "openai", field: "topP", received: "2", expected: "a number" })

const reasons: ReadonlyArray<readonly [error: ClientError, tag: AiError.AiErrorReason["_tag"], isRetryable: boolean]> =
  [
    [refused("RateLimited", 429), "RateLimitError", true],
    [refused("QuotaExceeded", 429), "QuotaExhaustedError", false],
    [refused("BadRequest", 402), "QuotaExhaustedError", false],
    [refused("Authentication", 401), "AuthenticationError", false],
    [refused("Permission", 403), "AuthenticationError", false],
    [refused("BadRequest", 400), "InvalidRequestError", false],
    [refused("BadRequest", 400, { error: { code: "content_filter" } }), "ContentPolicyError", false],
    [refused("NotFound", 404), "InvalidRequestError", false],
    [refused("Server", 500), "InternalProviderError", true],
    [refused("Malformed"), "InvalidResponseError", false],
    [refused("Connection"), "NetworkError", true],
    [refused("QueueTimeout"), "NetworkError", true],
    [options, "InvalidRequestError", false],
    [new PoolError({ ...place, reason: "Closed", detail: "closed" }), "UnknownError", false]
  ]

/** The schema of the tool of the first request. */
const parametersIn = (requests: ClientMapTest.Service["requests"]): unknown =>
  (requests[0]!.body as { readonly tools: ReadonlyArray<{ readonly function: { readonly parameters: unknown } }> })
    .tools[0]!.function.parameters

const calling = (name: string, params: object) => ({
  script: ({ index }: { readonly index: number }) =>
    index === 0 ? ClientMapTest.calls({ name, params }) : ClientMapTest.text("done")
})

/** Result of the tool as the model got it. */
const told = (requests: ClientMapTest.Service["requests"]): string =>
  (requests[1]!.body as { readonly messages: ReadonlyArray<{ readonly content: string }> }).messages.at(-1)!.content

describe("an AiError", () => {
  it.each(reasons)("has the reason of %s, and that as its cause", (error, tag, isRetryable) => {
    const made = Errors.from({ module: "OpenAiModel", method: "generateText" }, "https://api.openai.com/v1/x", error)
    assert.deepStrictEqual([made.reason._tag, made.isRetryable], [tag, isRetryable])
    assert.strictEqual((made.reason as Error).cause, error)
    assert.strictEqual(made.cause, made.reason)
    if (tag === "RateLimitError") assert.deepStrictEqual(made.retryAfter, Duration.seconds(3))
    // It can be encoded, with no secret and no cause that JSON lacks.
    assert.include(JSON.stringify(Schema.encodeUnknownSync(AiError.AiError)(made)), tag)
  })
})

describe("a model", () => {
  it.effect("takes a schema's JSON for objects and tools: dates, and numbers that are finite", () =>
    Effect.gen(function* () {
      const { requests } = yield* ClientMapTest.ClientMapTest
      const Seen = Tool.make("seen", {
        parameters: Schema.Struct({ at: Schema.Date, times: Schema.optional(Schema.Number) }),
        success: Schema.String
      })
      const toolkit = Toolkit.make(Seen)
      const seen: Array<unknown> = []
      const { toolResults } = yield* LanguageModel.generateText({ prompt: "?", toolkit }).pipe(
        Effect.provide(
          toolkit.toLayer({
            seen: ({ at, times }) => Effect.sync(() => (seen.push([at.getUTCFullYear(), times]), "yes"))
          })
        )
      )
      assert.deepStrictEqual(seen, [[2026, undefined]])
      assert.strictEqual(toolResults[0]?.result, "yes")
      assert.deepStrictEqual(parametersIn(requests), {
        type: "object",
        properties: { at: { type: "string" }, times: { anyOf: [{ type: "number" }, { type: "null" }] } },
        required: ["at", "times"],
        additionalProperties: false
      })
    }).pipe(
      Effect.provide(model),
      Effect.provide(ClientMapTest.layer(calling("seen", { at: "2026-12-01T00:00:00Z", times: null })))
    )
  )

  it.effect("has a name beside its provider's, and a resolver of embeddings", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual([yield* Model.ProviderName, yield* Model.ModelName], ["openai", "m"])
      const { resolver } = yield* EmbeddingModel.EmbeddingModel
      const ask = (input: string) => Effect.request(new EmbeddingModel.EmbeddingRequest({ input }), resolver)
      const both = yield* Effect.all([ask("a"), ask("b")], { concurrency: "unbounded" })
      assert.isTrue(both.every(({ vector }) => vector.length > 0))
      assert.strictEqual((yield* ClientMapTest.ClientMapTest).requests.length, 1)
    }).pipe(
      Effect.provide([OpenAiModel.embeddingModel("e", { client, window: 0 }), model]),
      Effect.provide(ClientMapTest.layer())
    )
  )
})

describe("a tool loop", () => {
  const Count = Tool.make("count", {
    success: Schema.Number,
    toModelOutput: (n: number) => [Prompt.textPart({ text: `all ${n}` })]
  })

  it.live("emits what a tool gives before its last, and tells the model what the tool makes of that", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make([{ name: "count", arguments: "{}" }], "done")
      const toolkit = Toolkit.make(Count)
      const parts = yield* Stream.runCollect(ToolLoop.stream({ prompt: "?", toolkit })).pipe(
        Effect.provide(
          toolkit.toLayer({
            count: (_, { preliminary }) => Effect.as(Effect.andThen(preliminary(1), preliminary(2)), 3)
          })
        ),
        Effect.provide(OpenAiModel.model("m", { client: { ...client, baseURL: server.baseURL } }))
      )
      assert.deepStrictEqual(
        parts.flatMap((part) => (part.type === "tool-result" ? [[part.encodedResult, part.preliminary]] : [])),
        [
          [1, true],
          [2, true],
          [3, false]
        ]
      )
      assert.strictEqual(server.asked[1]!.messages.at(-1)!.content, "all 3")
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  for (const needsApproval of [true, () => Effect.succeed(true)]) {
    it.effect(`runs no tool that needs approval (${typeof needsApproval})`, () =>
      Effect.gen(function* () {
        const Delete = Tool.make("delete", { parameters: Schema.Struct({ id: Schema.Int }), needsApproval })
        const toolkit = Toolkit.make(Delete)
        let ran = 0
        const { text } = yield* ToolLoop.run({ prompt: "?", toolkit }).pipe(
          Effect.provide(toolkit.toLayer({ delete: () => Effect.sync(() => void ran++) }))
        )
        assert.deepStrictEqual([ran, text], [0, "done"])
        assert.match(told((yield* ClientMapTest.ClientMapTest).requests), /needs an approval/)
      }).pipe(Effect.provide(model), Effect.provide(ClientMapTest.layer(calling("delete", { id: 1 }))))
    )
  }
})
