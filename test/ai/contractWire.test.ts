/** Requests of models on the wire, and the moment at which they emit parts of the response. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import { until } from "../support/wait.ts"
import * as Wire from "./contractWire.ts"
import { causeOf, kindOf, kinds, usageOf } from "./lines.ts"
import { subjects } from "./models.ts"

const picture = Prompt.make([
  Prompt.makeMessage("user", {
    content: [
      Prompt.makePart("text", { text: "what is it?" }),
      Prompt.makePart("file", { mediaType: "image/png", data: new Uint8Array([1, 2, 3]) }),
      Prompt.makePart("file", { mediaType: "image/*", data: new URL("https://example.com/cat.jpg") })
    ]
  })
])

const file = (mediaType: string, data: Uint8Array | URL = new Uint8Array([1, 2, 3])) =>
  Prompt.make([Prompt.makeMessage("user", { content: [Prompt.makePart("file", { mediaType, data, fileName: "f" })] })])

const thought = (n: number) =>
  Prompt.makePart("reasoning", {
    text: `thought ${n}`,
    options: { openai: { itemId: `rs_${n}`, encryptedContent: `secret ${n}` } }
  })

const deltas = (part: Response.AnyPart) => (part.type === "text-delta" ? part.delta : "")

describe.each(subjects)("the model of $name", ({ at, name, provider }) => {
  const isResponses = name.endsWith("responses")

  it.scopedLive("gives the first part of a stream while the server keeps the rest back", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const wire = yield* Wire.make(async (response, road) => {
        const { end, piece, start } = Wire.events[road]
        Wire.stream(response).write(start + piece("first"))
        await Effect.runPromise(Deferred.await(go))
        response.end(piece(", last") + end)
      })
      const all = yield* LanguageModel.streamText({ prompt: "hello" }).pipe(
        Stream.tap((part) => (deltas(part) === "first" ? Deferred.succeed(seen, undefined) : Effect.void)),
        Stream.runFold("", (text, part) => text + deltas(part)),
        Effect.provide(at(wire.baseURL(provider))),
        Effect.fork
      )
      yield* Deferred.await(seen)
      assert.isNull(all.unsafePoll())
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* Fiber.join(all), "first, last")
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("ends the request of a stream that is dropped, and keeps no lease", () =>
    Effect.gen(function* () {
      let isAborted = false
      const wire = yield* Wire.make((response, road) => {
        const { piece, start } = Wire.events[road]
        response.once("close", () => (isAborted = !response.writableFinished))
        Wire.stream(response).write(start + piece("first"))
      })
      yield* LanguageModel.streamText({ prompt: "hello" }).pipe(
        Stream.takeUntil((part) => deltas(part) === "first"),
        Stream.runDrain,
        Effect.provide(at(wire.baseURL(provider)))
      )
      const { clients } = yield* ClientMap.stats
      assert.deepStrictEqual(
        clients.map(({ inFlight, leases }) => [inFlight, leases]),
        [[0, 0]]
      )
      yield* Effect.promise(() => until(() => isAborted))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("applies backpressure to the server while parts are not consumed", () =>
    Effect.gen(function* () {
      const flood = Wire.flood()
      const wire = yield* Wire.make(flood.answer)
      const begun = yield* Deferred.make<void>()
      const fiber = yield* LanguageModel.streamText({ prompt: "hello" }).pipe(
        Stream.runForEach((part) =>
          deltas(part) === "" ? Effect.void : Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
        ),
        Effect.provide(at(wire.baseURL(provider))),
        Effect.fork
      )
      yield* Deferred.await(begun)
      assert.isTrue(yield* Effect.promise(flood.isHeld))
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("sends its settings, and the provider's own fields over them", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make(Wire.ok)
      const model = at(wire.baseURL(provider), {
        seed: 7,
        temperature: 0.5,
        maxTokens: 9,
        reasoningEffort: "low",
        body: { service_tier: "flex", user: "ada" }
      })
      const ask = LanguageModel.generateText({ prompt: "hello" })
      const over = OpenAiModel.withSettings(ask, { temperature: 1, body: { user: "bob", top_p: 0.1 } })
      yield* Effect.provide(Effect.zipRight(ask, over), model)
      const [first, second] = wire.sent.map(({ body }) => body)
      assert.deepInclude(first, { model: "test-model", temperature: 0.5, service_tier: "flex", user: "ada" })
      assert.deepInclude(second, { temperature: 1, service_tier: "flex", user: "bob", top_p: 0.1 })
      assert.deepInclude(
        first,
        isResponses
          ? { max_output_tokens: 9, reasoning: { effort: "low" } }
          : { max_completion_tokens: 9, reasoning_effort: "low", seed: 7 }
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("repeats a model's calls to it as objects, whatever their form", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make(Wire.ok)
      const said = [{ zone: "CET" }, undefined, '{"zone":', ["CET"]]
      const prompt = Prompt.make([
        Prompt.makeMessage("user", { content: [Prompt.makePart("text", { text: "time?" })] }),
        Prompt.makeMessage("assistant", {
          content: said.map((params, i) =>
            Prompt.makePart("tool-call", { id: `call_${i}`, name: "clock", params, providerExecuted: false })
          )
        })
      ])
      yield* Effect.provide(LanguageModel.generateText({ prompt }), at(wire.baseURL(provider)))
      const { body, road } = wire.sent[0]!
      const [, ...rest] = body[road === "chat" ? "messages" : "input"] as ReadonlyArray<{
        readonly arguments?: string
        readonly tool_calls?: ReadonlyArray<{ readonly function: { readonly arguments: string } }>
      }>
      const told = isResponses
        ? rest.map((item) => item.arguments)
        : rest[0]!.tool_calls!.map((call) => call.function.arguments)
      assert.deepStrictEqual(
        told.map((text) => JSON.parse(text ?? "") as unknown),
        [{ zone: "CET" }, {}, { malformed: '{"zone":' }, { malformed: ["CET"] }]
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("sends images if the provider accepts them, else fails and sends nothing", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make(Wire.ok)
      const ask = Effect.provide(LanguageModel.generateText({ prompt: picture }), at(wire.baseURL(provider)))
      if (provider === "cerebras") {
        const error = yield* Effect.flip(ask)
        assert.strictEqual(kindOf(error), kinds.prompt)
        assert.include(error.message, "not by URL")
        assert.deepStrictEqual(wire.sent, [])
        return
      }
      assert.strictEqual((yield* ask).text, "ok")
      const inline = "data:image/png;base64,AQID"
      const linked = "https://example.com/cat.jpg"
      const { body, road } = wire.sent[0]!
      assert.deepStrictEqual(
        body[road === "chat" ? "messages" : "input"],
        isResponses
          ? [
              {
                role: "user",
                content: [
                  { type: "input_text", text: "what is it?" },
                  { type: "input_image", image_url: inline, detail: "auto" },
                  { type: "input_image", image_url: linked, detail: "auto" }
                ]
              }
            ]
          : [
              {
                role: "user",
                content: [
                  { type: "text", text: "what is it?" },
                  { type: "image_url", image_url: { url: inline } },
                  { type: "image_url", image_url: { url: linked } }
                ]
              }
            ]
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("sends audio and PDF if they are accepted, else fails and sends nothing", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make(Wire.ok)
      const model = at(wire.baseURL(provider))
      const url = new URL("https://example.com/f")
      const road = isResponses ? "responses" : provider === "groq" || provider === "cerebras" ? "images" : "chat"
      const inline = { filename: "f", file_data: "data:application/pdf;base64,AQID" }
      const taken = {
        responses: {
          "application/pdf": { type: "input_file", ...inline },
          "application/pdf by URL": { type: "input_file", file_url: url.href }
        },
        chat: {
          "application/pdf": { type: "file", file: inline },
          "audio/wav": { type: "input_audio", input_audio: { data: "AQID", format: "wav" } },
          "audio/mpeg": { type: "input_audio", input_audio: { data: "AQID", format: "mp3" } }
        },
        images: {}
      }[road] as Readonly<Record<string, object>>
      for (const type of [
        "application/pdf",
        "application/pdf by URL",
        "audio/wav",
        "audio/mpeg",
        "text/csv",
        "video/mp4"
      ]) {
        const before = wire.sent.length
        const [mediaType = "", byUrl] = type.split(" by ")
        const prompt = file(mediaType, byUrl === undefined ? undefined : url)
        const asked = yield* Effect.exit(Effect.provide(LanguageModel.generateText({ prompt }), model))
        const sent = wire.sent.slice(before).map(({ body }) => body[isResponses ? "input" : "messages"])
        if (taken[type] === undefined) {
          const error = yield* Effect.flip(asked)
          assert.strictEqual(kindOf(error), kinds.prompt, type)
          assert.include(error.message, mediaType)
          assert.deepStrictEqual(sent, [], type)
        } else assert.deepStrictEqual(sent, [[{ role: "user", content: [taken[type]] }]], type)
      }
      const detail = { [provider]: { imageDetail: "low" } }
      const part = Prompt.makePart("file", { mediaType: "image/png", data: new Uint8Array([1, 2, 3]), options: detail })
      const prompt = Prompt.make([Prompt.makeMessage("user", { content: [part] })])
      yield* Effect.provide(LanguageModel.generateText({ prompt }), model)
      assert.include(JSON.stringify(wire.sent.at(-1)?.body), '"detail":"low"')
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive(
    "repeats the model's reasoning between its calls, if that is accepted, and not its earlier reasoning",
    () =>
      Effect.gen(function* () {
        const wire = yield* Wire.make(Wire.ok)
        const call = Prompt.makePart("tool-call", { id: "c", name: "clock", params: {}, providerExecuted: false })
        const result = { id: "c", name: "clock", isFailure: false, result: "noon", providerExecuted: false }
        const prompt = Prompt.make([
          Prompt.makeMessage("user", { content: [Prompt.makePart("text", { text: "hello" })] }),
          Prompt.makeMessage("assistant", { content: [thought(1), Prompt.makePart("text", { text: "hi" })] }),
          Prompt.makeMessage("user", { content: [Prompt.makePart("text", { text: "when?" })] }),
          Prompt.makeMessage("assistant", { content: [thought(2), call] }),
          Prompt.makeMessage("tool", { content: [Prompt.makePart("tool-result", result)] })
        ])
        yield* Effect.provide(LanguageModel.generateText({ prompt }), at(wire.baseURL(provider)))
        const { body } = wire.sent[0]!
        if (isResponses) {
          const items = (body["input"] as ReadonlyArray<Readonly<Record<string, unknown>>>).filter(
            ({ type }) => type === "reasoning"
          )
          assert.deepStrictEqual(
            items.map(({ encrypted_content, id, summary }) => [id, encrypted_content, summary]),
            [1, 2].map((n) => [`rs_${n}`, `secret ${n}`, [{ type: "summary_text", text: `thought ${n}` }]])
          )
          return
        }
        const messages = body["messages"] as ReadonlyArray<{ readonly reasoning?: string }>
        const isTaken = provider === "groq" || provider === "cerebras"
        assert.deepStrictEqual(
          messages.map(({ reasoning }) => reasoning),
          [undefined, undefined, undefined, isTaken ? "thought 2" : undefined, undefined]
        )
      }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("gives the model's reasoning and its cost, in a stream as in a whole answer", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make((response, road) => {
        if (wire.sent.length === 1) Wire.whole(response, Wire.thought[road].whole)
        else Wire.stream(response).end(Wire.thought[road].events)
      })
      const model = at(wire.baseURL(provider))
      const whole = yield* Effect.provide(LanguageModel.generateText({ prompt: "hello" }), model)
      assert.strictEqual(whole.reasoningText, "let me\nsee")
      assert.deepInclude(usageOf(whole.usage), {
        reasoningTokens: 5,
        cachedInputTokens: 2,
        inputTokens: 3,
        totalTokens: 12
      })
      const parts = Array.from(
        yield* Effect.provide(Stream.runCollect(LanguageModel.streamText({ prompt: "hello" })), model)
      )
      const reasoning = parts.flatMap((part) => (part.type === "reasoning-delta" ? [part.delta] : [])).join("")
      assert.strictEqual(reasoning, whole.reasoningText)
      assert.strictEqual(parts.map(deltas).join(""), whole.text)
      const last = parts.at(-1)
      assert.deepStrictEqual(last?.type === "finish" && { ...last.usage }, { ...whole.usage })
      if (!isResponses) return
      // Without them the API can't take its thoughts back.
      const told = parts.flatMap((part) => (part.type === "reasoning-end" ? [part.metadata["openai"]] : []))
      assert.deepStrictEqual(told, [
        { itemId: "rs_1", encryptedContent: "abc" },
        { itemId: "rs_2", encryptedContent: "def" }
      ])
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("fails with an error sent under status 200, whole and in a stream", () =>
    Effect.gen(function* () {
      const error = { code: "server_error", message: "out of luck" }
      const wire = yield* Wire.make((response, road) => {
        if (wire.sent.length === 1) {
          Wire.whole(response, road === "chat" ? { error } : { id: "r", status: "failed", output: [], error })
          return
        }
        const { piece, start } = Wire.events[road]
        const failed =
          road === "chat"
            ? { error }
            : wire.sent.length === 2
              ? { type: "response.failed", response: { id: "r", status: "failed", output: [], error } }
              : { type: "error", ...error }
        Wire.stream(response).end(`${start}${piece("half")}data: ${JSON.stringify(failed)}\n\n`)
      })
      const model = at(wire.baseURL(provider))
      const whole = yield* Effect.flip(Effect.provide(LanguageModel.generateText({ prompt: "hello" }), model))
      const streamed = Effect.flip(Stream.runDrain(LanguageModel.streamText({ prompt: "hello" })))
      const parts = yield* Effect.provide(Effect.replicateEffect(streamed, 2), model)
      for (const failure of [whole, ...parts]) {
        assert.deepInclude(causeOf(failure), { _tag: "RequestError", reason: "Server", processed: "yes" })
        assert.match(failure.message, /out of luck/)
      }
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("fails for a stream that ends early or is empty", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make((response, road) => {
        const { piece, start } = Wire.events[road]
        Wire.stream(response).end(wire.sent.length === 1 ? start + piece("half") : "")
      })
      const ended = Stream.runDrain(LanguageModel.streamText({ prompt: "hello" })).pipe(
        Effect.flip,
        Effect.replicateEffect(2),
        Effect.provide(at(wire.baseURL(provider)))
      )
      for (const error of yield* ended) {
        assert.strictEqual(kindOf(error), kinds.connection)
        assert.deepInclude(causeOf(error), { _tag: "RequestError", reason: "Connection", processed: "maybe" })
      }
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("accepts a stream that is done without a finish reason", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make((response, road) => {
        const { end, piece, start } = Wire.events[road]
        Wire.stream(response).end(`${start}${piece("all")}${road === "chat" ? "" : end}data: [DONE]\n\n`)
      })
      const parts = Array.from(
        yield* Effect.provide(
          Stream.runCollect(LanguageModel.streamText({ prompt: "hello" })),
          at(wire.baseURL(provider))
        )
      )
      assert.strictEqual(parts.map(deltas).join(""), "all")
      const last = parts.at(-1)
      assert.strictEqual(last?.type === "finish" && last.reason, isResponses ? "stop" : "unknown")
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
