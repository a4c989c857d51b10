/** Attributes that calls of models record, and those that they leave out. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import { series } from "../support/metrics.ts"
import { recorder } from "../support/spans.ts"

const client = { apiKey: Redacted.make("sk"), maxRetries: 0 }
const canary = "canary-8f3a"

const ask = LanguageModel.generateText({ prompt: canary })
const asked = (model: string) => Effect.provide(ask, OpenAiModel.model(model, { client }))

const counts = (name: string, model: string) =>
  series(name, { "gen_ai.request.model": model }).map(({ count, labels }) => [
    labels["error.type"] ?? labels["gen_ai.token.type"] ?? "",
    count
  ])

describe("a call of a model", () => {
  it.effect("is a span of kind client by the conventions, whole or streamed", () =>
    Effect.gen(function* () {
      const seen = recorder()
      yield* asked("traced").pipe(Effect.withTracer(seen.tracer))
      yield* LanguageModel.streamText({ prompt: "hello" }).pipe(
        Stream.runDrain,
        Effect.provide(OpenAiModel.model("traced", { client })),
        Effect.withTracer(seen.tracer)
      )
      const chats = seen.spans.filter(({ name }) => name === "chat traced")
      assert.strictEqual(chats.length, 2)
      for (const { attributes, exit, kind } of chats) {
        assert.strictEqual(kind, "client")
        assert.strictEqual(exit?._tag, "Success")
        const { "gen_ai.response.id": id, "gen_ai.usage.input_tokens": input, ...rest } = Object.fromEntries(attributes)
        assert.match(String(id), /^chatcmpl-/)
        assert.isAbove(Number(input), 0)
        assert.deepInclude(rest, {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "traced",
          "gen_ai.response.model": "traced",
          "gen_ai.response.finish_reasons": ["stop"],
          "server.address": "api.openai.com",
          "server.port": 443
        })
      }
    }).pipe(Effect.provide(ClientMapTest.layer()))
  )

  it.effect("is metered: how long, how many tokens, and the first chunk of a stream; failures by their type", () =>
    Effect.gen(function* () {
      yield* asked("metered")
      yield* Effect.flip(asked("metered"))
      yield* LanguageModel.streamText({ prompt: "hello" }).pipe(
        Stream.runDrain,
        Effect.provide(OpenAiModel.model("metered", { client }))
      )
      assert.deepStrictEqual(counts("gen_ai.client.operation.duration", "metered").toSorted(), [
        ["", 2],
        ["500", 1]
      ])
      assert.deepStrictEqual(counts("gen_ai.client.token.usage", "metered").toSorted(), [
        ["input", 2],
        ["output", 2]
      ])
      assert.deepStrictEqual(counts("gen_ai.client.operation.time_to_first_chunk", "metered"), [["", 1]])
      const text = yield* Telemetry.prometheus
      assert.match(text, /^gen_ai_client_token_usage_bucket\{.*gen_ai_token_type="input".*le="\+Inf"\} 2$/m)
      assert.match(text, /^# TYPE http_client_open_connections gauge\nhttp_client_open_connections 0$/m)
      assert.match(text, /^clientele_attempts_total\{provider="openai",outcome="ok"\} \d+$/m)
    }).pipe(
      Effect.provide(
        ClientMapTest.layer({ script: ({ index }) => (index === 1 ? ClientMapTest.error(500) : undefined) })
      )
    )
  )

  it.effect("has its prompt in no span and no log, unless enabled", () =>
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make((entry) => void heard.push(Logger.logfmtLogger.log(entry)))
      )
      const watched = (effect: Effect.Effect<unknown, unknown, ClientMap>) => {
        const seen = recorder()
        return Effect.map(
          Effect.exit(Effect.withTracer(effect, seen.tracer)).pipe(
            Effect.provide(logger),
            Logger.withMinimumLogLevel(LogLevel.All)
          ),
          () => JSON.stringify(seen.spans.map(({ attributes, events, name }) => [name, [...attributes], events]))
        )
      }
      const silent = yield* watched(Effect.zip(asked("silent"), Effect.flip(asked("silent"))))
      assert.notInclude(silent + String(heard), canary)
      assert.include(silent, "chat silent")
      assert.include(yield* watched(Telemetry.withContent(asked("loud"))), canary)
    }).pipe(
      Effect.provide(
        ClientMapTest.layer({ script: ({ index }) => (index === 1 ? ClientMapTest.error(500) : undefined) })
      )
    )
  )
})
