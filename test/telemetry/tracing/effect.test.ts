/** Spans of fibers as OpenTelemetry's SDK exports them, through @effect/opentelemetry. */
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import * as Metrics from "@effect/opentelemetry/Metrics"
import * as Resource from "@effect/opentelemetry/Resource"
import * as OtelTracer from "@effect/opentelemetry/Tracer"
import { assert, describe, it } from "@effect/vitest"
import type { HistogramMetricData } from "@opentelemetry/sdk-metrics"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../../src/ClientLayer.ts"
import * as OpenAiClient from "../../../src/OpenAiClient.ts"
import * as OpenAiModel from "../../../src/OpenAiModel.ts"
import * as ClientMapTest from "../../../src/testing/ClientMapTest.ts"
import * as Sandbox from "../../../src/testing/Sandbox.ts"
import { exported, metricReader, parentOf, sdk, type Sdk } from "../../support/otel.ts"
import { until } from "../../support/wait.ts"
import { handlers, toolkit } from "../../ai/tools.ts"

const app = Effect.acquireRelease(Effect.sync(sdk), (app) => Effect.promise(app.close))

/** The app's SDK, which undici's instrumentation has too, as Effect's tracer. */
const tracing = OtelTracer.layerGlobal.pipe(Layer.provide(Resource.layer({ serviceName: "agents" })))

const named = (app: Sdk, name: string) => app.spans().filter((span) => span.name === name)

const ended = (app: Sdk, name: string, count: number) =>
  Effect.promise(() => until(() => named(app, name).length === count))

const roads = [
  { name: "HTTP/1.1", version: "1.1", options: { protocol: "http/1.1" } },
  { name: "HTTP/2", version: "2", options: { protocol: "both", tls: true } }
] as const

const question = (model: string) => ({ model, messages: [{ role: "user" as const, content: "canary" }] })

const clientOf = (sandbox: Sandbox.Sandbox) => ({
  apiKey: Redacted.make("sk-canary"),
  baseURL: sandbox.baseURL("openai"),
  transport: { ca: sandbox.ca, maxConnections: 1 }
})

const embed = (text: string) =>
  Effect.withSpan(
    Effect.flatMap(EmbeddingModel.EmbeddingModel, (one) => one.embed(text)),
    `agent-${text}`
  )

const callingClock = () => ClientMapTest.calls({ name: "clock", params: {} })

describe("with Effect, OpenTelemetry's SDK exports", () => {
  for (const { name, options, version } of roads) {
    it.scopedLive(`over ${name} a span for each call of an SDK below its agent's, and undici's below that`, () =>
      Effect.gen(function* () {
        const seen = yield* app
        const sandbox = yield* Sandbox.make(options)
        const client = clientOf(sandbox)
        const agents = Array.from({ length: 8 }, (_, i) => `agent-${i}`)
        yield* Effect.forEach(
          agents,
          (agent) =>
            Effect.withSpan(
              OpenAiClient.use(client, (openai) => openai.chat.completions.create(question(`gpt-${agent}`))),
              agent
            ),
          { concurrency: "unbounded" }
        ).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(tracing))
        yield* ended(seen, "POST", agents.length)
        const spans = seen.spans()
        for (const agent of agents) {
          const [chat] = named(seen, `chat gpt-${agent}`)
          assert.strictEqual(parentOf(spans, chat!), agent)
          assert.deepInclude(chat!.attributes, {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.response.model": `gpt-${agent}`,
            "gen_ai.response.finish_reasons": ["stop"],
            "server.port": sandbox.port
          })
          for (const one of [chat!, ...named(seen, agent)]) {
            assert.deepStrictEqual(
              one.events.map((event) => [event.name, event.attributes!["network.protocol.version"]]),
              [["clientele.attempt", version]]
            )
          }
        }
        assert.sameMembers(
          named(seen, "POST").map((span) => parentOf(spans, span)),
          agents.map((agent) => `chat gpt-${agent}`)
        )
        assert.notInclude(JSON.stringify(spans.map(({ attributes, events }) => [attributes, events])), "canary")
      })
    )

    it.scopedLive(`over ${name} a model's chat below its span, whole or streamed, and undici's below the chat`, () =>
      Effect.gen(function* () {
        const seen = yield* app
        const sandbox = yield* Sandbox.make(options)
        const model = OpenAiModel.model("gpt", { client: clientOf(sandbox) })
        yield* Effect.withSpan(
          Effect.zip(
            LanguageModel.generateText({ prompt: "canary" }),
            Stream.runDrain(LanguageModel.streamText({ prompt: "canary" }))
          ),
          "agent"
        ).pipe(Effect.provide(model), Effect.provide(ClientLayer.layer()), Effect.provide(tracing))
        yield* ended(seen, "POST", 2)
        const spans = seen.spans()
        const [whole, streamed] = named(seen, "chat gpt")
        assert.deepStrictEqual(
          [whole!, streamed!].map((span) => parentOf(spans, span)),
          ["LanguageModel.generateText", "LanguageModel.streamText"]
        )
        for (const name of ["generateText", "streamText"]) {
          assert.strictEqual(parentOf(spans, named(seen, `LanguageModel.${name}`)[0]!), "agent")
        }
        for (const span of [whole!, streamed!]) {
          assert.deepStrictEqual(span.attributes["gen_ai.response.finish_reasons"], ["stop"])
        }
        const chats = [whole!, streamed!].map((span) => span.spanContext().spanId)
        assert.deepStrictEqual(
          named(seen, "POST").map(({ parentSpanContext }) => parentSpanContext?.spanId),
          chats
        )
      })
    )
  }

  it.scopedLive("one span for embeddings of several callers: below the first of them, linked to the others", () =>
    Effect.gen(function* () {
      const seen = yield* app
      const sandbox = yield* Sandbox.make({ protocol: "http/1.1" })
      const model = OpenAiModel.embeddingModel("embed-1", { client: clientOf(sandbox), window: "100 millis" })
      yield* Effect.forEach(["a", "b", "c"], embed, { concurrency: "unbounded" }).pipe(
        Effect.provide(model),
        Effect.provide(ClientLayer.layer()),
        Effect.provide(tracing)
      )
      yield* ended(seen, "POST", 1)
      const spans = seen.spans()
      const [request, ...more] = named(seen, "embeddings embed-1")
      assert.deepStrictEqual(more, [])
      const askers = named(seen, "EmbeddingModel.embed")
      const first = askers.find((span) => parentOf(spans, span) === "agent-a")!
      assert.strictEqual(request!.parentSpanContext?.spanId, first.spanContext().spanId)
      assert.sameMembers(
        request!.links.map(({ context }) => context.spanId),
        askers.filter((span) => span !== first).map((span) => span.spanContext().spanId)
      )
      assert.strictEqual(parentOf(spans, named(seen, "POST")[0]!), "embeddings embed-1")
      assert.isAbove(Number(request!.attributes["gen_ai.usage.input_tokens"]), 0)
    })
  )

  it.scopedLive("requests that are no calls of models by HTTP's conventions, and failures without their text", () =>
    Effect.gen(function* () {
      const seen = yield* app
      const sandbox = yield* Sandbox.make({
        protocol: "http/1.1",
        faults: [
          { match: { path: /chat/ }, fault: { type: "status", status: 400, body: `{"error":{"message":"canary"}}` } }
        ]
      })
      const client = clientOf(sandbox)
      yield* Effect.zip(
        OpenAiClient.use(client, (openai) => openai.models.list()),
        Effect.flip(OpenAiClient.use(client, (openai) => openai.chat.completions.create(question("gpt"))))
      ).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(tracing))
      yield* ended(seen, "chat gpt", 1)
      const [list] = named(seen, "GET").filter(
        (span) => "url.full" in span.attributes && !("url.path" in span.attributes)
      )
      assert.strictEqual(list!.attributes["url.full"], `${sandbox.baseURL("openai")}/models`)
      const [refused] = named(seen, "chat gpt")
      assert.strictEqual(refused!.attributes["error.type"], "400")
      assert.strictEqual(refused!.status.code, 2)
      assert.notInclude(JSON.stringify([refused!.attributes, refused!.events, refused!.status]), "canary")
    })
  )

  it.scopedLive("a span of a fiber whose own tracer leads nowhere, as without Effect", () =>
    Effect.gen(function* () {
      const seen = yield* app
      const sandbox = yield* Sandbox.make({ protocol: "http/1.1" })
      yield* Effect.provide(
        OpenAiClient.use(clientOf(sandbox), (openai) => openai.chat.completions.create(question("gpt-native"))),
        ClientLayer.layer()
      )
      yield* ended(seen, "chat gpt-native", 1)
      assert.strictEqual(named(seen, "chat gpt-native")[0]!.instrumentationScope.name, "clientele")
    })
  )

  it.scopedLive("the provider's own words for an answer's end", () =>
    Effect.gen(function* () {
      const exporter = new InMemorySpanExporter()
      const client = { apiKey: Redacted.make("sk") }
      const spans = yield* Effect.zip(
        LanguageModel.generateText({ prompt: "hello", toolkit }),
        OpenAiClient.use(client, (openai) => openai.chat.completions.create(question("gpt-sdk")))
      ).pipe(
        Effect.map(() => exporter.getFinishedSpans()),
        Effect.provide(handlers),
        Effect.provide(OpenAiModel.model("gpt", { client })),
        Effect.provide(ClientMapTest.layer({ script: callingClock })),
        Effect.provide(NodeSdk.layer(() => ({ spanProcessor: new SimpleSpanProcessor(exporter) })))
      )
      const reasons = spans.flatMap(({ attributes, name }) =>
        name.startsWith("chat ") ? [[name, attributes["gen_ai.response.finish_reasons"]]] : []
      )
      assert.deepStrictEqual(reasons, [
        ["chat gpt", ["tool_calls"]],
        ["chat gpt-sdk", ["tool_calls"]]
      ])
    })
  )

  it.scopedLive("metrics with the units of the conventions", () =>
    Effect.gen(function* () {
      const measured = metricReader()
      const metrics = Metrics.layer(() => measured.reader).pipe(
        Layer.provide(Resource.layer({ serviceName: "agents" }))
      )
      const sandbox = yield* Sandbox.make({ protocol: "http/1.1" })
      const all = yield* OpenAiClient.use(clientOf(sandbox), (openai) =>
        openai.chat.completions.create(question("gpt-units"))
      ).pipe(
        Effect.zipRight(Effect.promise(() => exported(measured))),
        Effect.provide(ClientLayer.layer()),
        Effect.provide(metrics)
      )
      const find = (name: string) => all.find(({ descriptor }) => descriptor.name === name)
      const units = [
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "http.client.request.duration",
        "clientele.attempts"
      ].map((name) => find(name)?.descriptor.unit)
      assert.deepStrictEqual(units, ["s", "{token}", "s", "{request}"])
      const { dataPoints } = find("gen_ai.client.token.usage") as HistogramMetricData
      const own = dataPoints.filter(({ attributes }) => attributes["gen_ai.request.model"] === "gpt-units")
      assert.sameMembers(
        own.map(({ attributes }) => attributes["gen_ai.token.type"]),
        ["input", "output"]
      )
    })
  )
})
