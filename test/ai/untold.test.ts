/** Prompts and answers of models are in no span and in no log, through every entry point, unless that is enabled. */
import { inspect } from "node:util"
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as PlatformHttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Agent from "../../src/Agent.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as HttpClient from "../../src/HttpClient.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import { recorder } from "../support/spans.ts"
import { spanName } from "./lines.ts"

const canary = "canary-8f3a"
const client = { apiKey: Redacted.make("sk"), maxRetries: 0 }
const model = OpenAiModel.model("m", { client })
const embeddings = OpenAiModel.embeddingModel("e", { client, window: 0 })
const messages = [{ role: "user" as const, content: canary }]

const Echo = Tool.make("echo", {
  parameters: { text: Schema.String, times: Schema.optional(Schema.Number) },
  success: Schema.String,
  failure: Schema.Struct({ why: Schema.String })
})
const toolkit = Toolkit.make(Echo)
const handlers = toolkit.toLayer({
  echo: ({ text }) => (text.startsWith("fail") ? Effect.fail({ why: text }) : Effect.succeed(text))
})

const Shape = Schema.Struct({ count: Schema.Number })

const ask = {
  text: LanguageModel.generateText({ prompt: canary }),
  stream: Stream.runDrain(LanguageModel.streamText({ prompt: canary })),
  object: LanguageModel.generateObject({ prompt: canary, schema: Shape }),
  tools: LanguageModel.generateText({ prompt: canary, toolkit }),
  streamedTools: Stream.runDrain(LanguageModel.streamText({ prompt: canary, toolkit })),
  loop: ToolLoop.run({ prompt: canary, toolkit }),
  streamedLoop: Stream.runDrain(ToolLoop.stream({ prompt: canary, toolkit })),
  agent: Agent.make({ name: "echo", run: (prompt: string) => LanguageModel.generateText({ prompt }) })(canary),
  embed: Effect.flatMap(EmbeddingModel.EmbeddingModel, (one) => one.embed(canary)),
  embedMany: Effect.flatMap(EmbeddingModel.EmbeddingModel, (one) => one.embedMany([canary, "b"])),
  sdk: GroqClient.use(client, (groq) => groq.chat.completions.create({ model: "m", messages })),
  sdkStream: Stream.runDrain(
    GroqClient.stream(client, (groq) => groq.chat.completions.create({ model: "m", messages, stream: true }))
  ),
  agentOfSdk: Agent.make({
    name: "sdk",
    run: () => GroqClient.use(client, (groq) => groq.chat.completions.create({ model: "m", messages }))
  })(canary),
  http: HttpClientRequest.post("https://api.openai.com/v1/chat/completions").pipe(
    HttpClientRequest.bearerToken("sk"),
    HttpClientRequest.bodyUnsafeJson({ model: "m", messages }),
    PlatformHttpClient.execute,
    Effect.provide(HttpClient.layer())
  )
}

type Name = keyof typeof ask

type Asks = Effect.Effect<unknown, unknown, Effect.Effect.Context<(typeof ask)[Name]>>

const called = (text: string): ClientMapTest.Answer => ClientMapTest.calls({ name: "echo", params: { text } })

const garbled = (args: string, name = "echo"): ClientMapTest.Answer => ({
  body: {
    id: "x",
    choices: [
      { message: { tool_calls: [{ id: "c", function: { name, arguments: args } }] }, finish_reason: "tool_calls" }
    ]
  }
})

const delta = (args: string): ClientMapTest.Answer => {
  const call = { index: 0, id: "c", type: "function", function: { name: "echo", arguments: args } }
  return { events: [{ id: "x", choices: [{ index: 0, delta: { tool_calls: [call] }, finish_reason: "tool_calls" }] }] }
}

const refusal: ClientMapTest.Answer = { body: { id: "x", choices: [{ message: { refusal: canary } }] } }

const refused = ClientMapTest.error(400, `no such thing as '${canary}'`)

/** Doors, and what providers answer first; further answers are the sandbox's. */
const cases: ReadonlyArray<readonly [name: string, doors: ReadonlyArray<Name>, answer?: ClientMapTest.Answer]> = [
  ["an answer", ["text", "stream", "agent", "embed", "embedMany", "sdk", "sdkStream", "agentOfSdk", "http"]],
  [
    "a refusal that quotes it",
    ["text", "object", "tools", "loop", "agent", "embed", "embedMany", "sdk", "agentOfSdk", "http"],
    refused
  ],
  ["a page that quotes it", ["text", "agent"], { status: 502, body: `<p>${canary}</p>` }],
  ["an answer that is invalid JSON", ["text", "agentOfSdk"], { body: `{"a": ${canary}` }],
  ["a failure under a status of 200", ["text"], { body: { error: { message: canary, code: canary } } }],
  ["the model's refusal", ["object"], refusal],
  ["an object of another shape", ["object"], ClientMapTest.text(JSON.stringify({ count: canary }))],
  ["a call of a tool", ["tools", "loop"], called(canary)],
  ["a call of a tool in a stream", ["streamedTools", "streamedLoop"], delta(JSON.stringify({ text: canary }))],
  ["a tool that fails", ["tools", "loop"], called(`fail ${canary}`)],
  ["parameters of another shape", ["tools", "loop"], garbled(JSON.stringify({ text: canary, times: canary }))],
  ["parameters that are invalid JSON", ["tools", "loop"], garbled(`{"text": ${canary}`)],
  ["a tool that there is not", ["tools", "loop"], garbled("{}", canary)]
]

const run = (
  door: Name,
  answer: ClientMapTest.Answer | undefined,
  around: <A, E, R>(e: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const seen = recorder()
    const heard: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make((entry) => void heard.push(Logger.logfmtLogger.log(entry)))
    )
    const asking: Effect.Effect<unknown, unknown, ClientMap> = Effect.provide(ask[door] as Asks, [
      model,
      embeddings,
      handlers
    ])
    const exit = yield* Effect.exit(around(asking)).pipe(
      Effect.provide(ClientMapTest.layer({ script: ({ index }) => (index === 0 ? answer : undefined) })),
      Effect.withTracer(seen.tracer),
      Effect.provide(logger),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    const spans = seen.spans.map(({ attributes, events, exit, name }) => {
      const failed =
        exit !== undefined && Exit.isFailure(exit) ? [Cause.pretty(exit.cause), inspect(exit, { depth: 9 })] : []
      return inspect([name, attributes, events, failed], { depth: 9 })
    })
    return { exit, spans, told: spans.join("\n") + heard.join("\n") }
  })

describe("content is in no span and no log", () => {
  it.effect.each(cases)("with %s", ([, doors, answer]) =>
    Effect.gen(function* () {
      for (const door of doors) {
        const { told } = yield* run(door, answer, (asking) => asking)
        assert.notInclude(told, canary, door)
      }
    })
  )

  it.effect("of a refusal in a stream is in no span: effect itself logs the failure of a stream's fiber", () =>
    Effect.gen(function* () {
      for (const door of ["stream", "streamedTools", "streamedLoop", "sdkStream"] as const) {
        const { exit, spans } = yield* run(door, refused, (asking) => asking)
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", canary, door)
        assert.notInclude(spans.join("\n"), canary, door)
      }
    })
  )

  it.effect("although the caller's error has it, and spans have its kind", () =>
    Effect.gen(function* () {
      for (const door of ["text", "tools", "agent", "embed"] as const) {
        const { exit, spans } = yield* run(door, refused, (asking) => asking)
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", canary)
        assert.isNotEmpty(spans)
        for (const span of spans) assert.match(span, spanName, door)
      }
      const own = Agent.make({ name: "own", run: () => Effect.fail(new Error(canary)) })(undefined)
      const seen = recorder()
      yield* Effect.flip(Effect.withTracer(own, seen.tracer))
      assert.include(inspect(seen.spans, { depth: 9 }), canary)
    })
  )

  it.effect("unless it is enabled", () =>
    Effect.gen(function* () {
      for (const [door, answer] of [
        ["text", undefined],
        ["text", refused],
        ["stream", undefined],
        ["embed", refused],
        ["agentOfSdk", refused]
      ] as const) {
        assert.include((yield* run(door, answer, Telemetry.withContent)).told, canary, door)
      }
      for (const door of ["tools", "loop"] as const) {
        const { spans } = yield* run(door, called(canary), Telemetry.withContent)
        assert.include(
          spans.find((span) => span.includes("Toolkit.handle")),
          canary,
          door
        )
      }
    })
  )
})
