/** @effect/ai's own models of OpenAI, and whatever else is written for an HttpClient, on pooled connections. */
import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientMap from "../src/ClientMap.ts"
import * as PooledHttpClient from "../src/HttpClient.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"
import { until } from "./support/wait.ts"

const pooled = Layer.provideMerge(PooledHttpClient.layer(), ClientLayer.layer())

it.scopedLive(
  "300 calls of @effect/ai-openai at once go over bounded connections, which are closed in the end",
  () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      yield* Effect.gen(function* () {
        const client = OpenAiClient.layer({ apiUrl: sandbox.baseURL("openai"), apiKey: Redacted.make("sk-test") })
        const model = OpenAiLanguageModel.layer({ model: "test-model" }).pipe(
          Layer.provide(client),
          Layer.provide(PooledHttpClient.layer({ transport: { maxConnections: 20 } }))
        )
        const answers = yield* Effect.forEach(
          Array.from({ length: 300 }, (_, i) => i),
          (i) => LanguageModel.generateText({ prompt: `row ${i}` }),
          { concurrency: "unbounded" }
        ).pipe(Effect.provide(model))
        assert.isTrue(answers.every(({ text }) => text !== ""))
        const { connections, requests } = sandbox.stats()
        assert.strictEqual(requests, 300)
        assert.isAtMost(connections.peak, 20)
        const { clients } = yield* ClientMap.stats
        assert.strictEqual(clients.length, 1)
      }).pipe(Effect.provide(ClientLayer.layer({ idleTimeToLive: 50 })))
      yield* Effect.promise(() => until(() => sandbox.stats().connections.open === 0))
    }),
  180_000
)

it.scopedLive("credentials are separate: each has a client and a budget of its own, over the same connections", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make()
    const ask = (key: string) =>
      HttpClientRequest.post(`${sandbox.baseURL("openai")}/chat/completions`).pipe(
        HttpClientRequest.bearerToken(key),
        HttpClientRequest.bodyUnsafeJson({ model: "m", messages: [{ role: "user", content: "hi" }] }),
        HttpClient.execute,
        Effect.flatMap((response) => Effect.as(response.json, response.status))
      )
    assert.deepStrictEqual(yield* Effect.all([ask("sk-a"), ask("sk-b")]), [200, 200])
    const { clients, quotas } = yield* ClientMap.stats
    assert.strictEqual(clients.length, 2)
    assert.strictEqual(new Set(quotas.map(({ credential }) => credential)).size, 2)
    assert.strictEqual(sandbox.stats().connections.total <= 2, true)
  }).pipe(Effect.provide(pooled))
)

it.scopedLive("an answer may be streamed, and interruption aborts what is under way", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make()
    const request = (fault: string) =>
      HttpClientRequest.post(`${sandbox.baseURL("openai")}/chat/completions`).pipe(
        HttpClientRequest.setHeaders({ "x-sandbox-fault": fault, authorization: "Bearer sk" }),
        HttpClientRequest.bodyUnsafeJson({ model: "m", stream: true, messages: [{ role: "user", content: "hi" }] })
      )
    const text = yield* HttpClient.execute(request("slowDrip=40,1")).pipe(
      Effect.flatMap((response) => Stream.mkString(Stream.decodeText(response.stream)))
    )
    assert.include(text, "[DONE]")
    const fiber = yield* Effect.fork(HttpClient.execute(request("stall=headers")))
    yield* Effect.promise(() => until(() => sandbox.stats().inFlight === 1))
    yield* Fiber.interrupt(fiber)
    yield* Effect.promise(() => until(() => sandbox.stats().inFlight === 0))
  }).pipe(Effect.provide(pooled))
)

it.scopedLive("a failure without a response is a RequestError with ours as its cause", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(HttpClient.get("http://127.0.0.1:9/"))
    assert.isTrue(error instanceof HttpClientError.RequestError && error.reason === "Transport")
    assert.deepInclude(error.cause, { _tag: "RequestError", reason: "Connection", processed: "no" })
  }).pipe(Effect.provide(Layer.provideMerge(PooledHttpClient.layer({ maxRetries: 0 }), ClientLayer.layer())))
)
