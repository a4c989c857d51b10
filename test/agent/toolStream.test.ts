import type * as AiError from "@effect/ai/AiError"
import * as Chat from "@effect/ai/Chat"
import * as LanguageModel from "@effect/ai/LanguageModel"
import { assert, describe, it } from "@effect/vitest"
import { expectTypeOf } from "vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import { leakCheck } from "../../src/testing/leakCheck.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import { eventually, until } from "../support/wait.ts"
import * as Wire from "../ai/contractWire.ts"
import { causeOf, kindOf, kinds, statusOf } from "../ai/lines.ts"
import { subjects } from "../ai/models.ts"
import * as Scripted from "../ai/scripted.ts"
import { assertToldOfMistakes, Broken, handlers, mistakes, model, rome, toolkit, waiting } from "../ai/tools.ts"

type Part = Stream.Stream.Success<ReturnType<typeof ToolLoop.stream<typeof toolkit.tools>>>

/** All that came, and how it ended. */
const collect = <E, R>(parts: Stream.Stream<Part, E, R>) =>
  Effect.gen(function* () {
    const all: Array<Part> = []
    const exit = yield* Effect.exit(Stream.runForEach(parts, (part) => Effect.sync(() => void all.push(part))))
    return { all, exit }
  })

const textOf = (parts: ReadonlyArray<Part>) =>
  parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")

/** Ids are made anew for each answer. */
const said = ({ transcript }: ToolLoop.Result) =>
  transcript.content.map(({ content, role }) => [
    role,
    typeof content === "string" ? content : content.map((part) => ({ ...part, id: "", options: {} }))
  ])

const isIdle = ({ clients }: ClientMap.Stats) => clients.every(({ inFlight, leases }) => inFlight === 0 && leases === 0)

/** An aborted request ends in a later microtask. */
const idle = Effect.map(eventually(ClientMap.stats, isIdle), isIdle)

describe("a streamed tool loop", () => {
  it("has its tools' results and errors in its type", () => {
    const parts = ToolLoop.stream({ prompt: "?", toolkit, onToolFailure: "fail" })
    expectTypeOf<Stream.Stream.Error<typeof parts>>().toEqualTypeOf<AiError.AiError | ToolLoop.MaxRounds | Broken>()
    type Given<Name extends string> = Extract<Part, { readonly name: Name; readonly isFailure: false }>["result"]
    expectTypeOf<Given<"weather">>().toEqualTypeOf<{ readonly degrees: number }>()
    expectTypeOf<Given<"clock">>().toEqualTypeOf<string>()
  })

  it.scopedLive.each(subjects)("of $name gives in parts what the whole one gives", ({ at, provider }) =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const subject = at(sandbox.baseURL(provider))
      const options = { prompt: "please call both", toolkit }
      const whole = yield* Effect.provide(ToolLoop.run(options), subject)
      const { all } = yield* Effect.provide(collect(ToolLoop.stream(options)), subject)
      const last = all.at(-1)
      assert.deepInclude(last?.type === "loop-end" && last.result, {
        text: whole.text,
        finishReason: "stop",
        rounds: 2,
        usage: whole.usage
      })
      assert.deepStrictEqual(last?.type === "loop-end" && said(last.result), said(whole))
      assert.strictEqual(textOf(all), whole.text)
      const steps = all.map(({ type }) => type).filter((type) => /^(tool-call|tool-result|finish|.*-end)$/.test(type))
      assert.deepStrictEqual(
        steps.filter((type) => !/^(text|tool-params)-end$/.test(type)),
        [
          "tool-call",
          "tool-call",
          "finish",
          "tool-result",
          "tool-result",
          "round-end",
          "finish",
          "round-end",
          "loop-end"
        ]
      )
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive.each(subjects)("of $name keeps all parts of $name, with those to be repeated", (of) =>
    Effect.gen(function* () {
      const wire = yield* Wire.make((response, road) => {
        if (wire.sent.length === 1) Wire.whole(response, Wire.thought[road].whole)
        else Wire.stream(response).end(Wire.thought[road].events)
      })
      const subject = of.at(wire.baseURL(of.provider))
      const whole = yield* Effect.provide(ToolLoop.run({ prompt: "?", toolkit }), subject)
      const { all } = yield* Effect.provide(collect(ToolLoop.stream({ prompt: "?", toolkit })), subject)
      const last = all.at(-1)
      const streamed = last?.type === "loop-end" ? last.result.transcript.content : []
      const isResponses = wire.sent[0]?.road === "responses"
      assert.strictEqual(JSON.stringify(streamed).includes("abc"), isResponses)
      assert.strictEqual(streamed[1]?.content.length, isResponses ? 3 : 2)
      assert.strictEqual(JSON.stringify(streamed), JSON.stringify(whole.transcript.content))
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("reports unusable calls and failing tools to the model and in the stream", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make(...mistakes)
      const { all, exit } = yield* Effect.provide(
        collect(ToolLoop.stream({ prompt: "Rome?", toolkit })),
        model(server.baseURL)
      )
      assert.isTrue(Exit.isSuccess(exit), String(exit))
      const heard = all.flatMap((part) => (part.type === "tool-result" ? [part] : []))
      const told = server.asked[4]!.messages.filter(({ role }) => role === "tool").map(({ content }) => content)
      assert.sameMembers(
        heard.map(({ encodedResult: said }) => (typeof said === "string" ? said : JSON.stringify(said))),
        told
      )
      assertToldOfMistakes(told)
      assert.isTrue(heard.some(({ isFailure, result }) => isFailure && result instanceof Broken))
      assert.strictEqual(heard.filter(({ isFailure }) => isFailure).length, 4)
      // Each call is heard, as the model said it, and each answer's end with what it used.
      const calls = all.flatMap((part) => (part.type === "tool-call" ? [[part.name, part.params]] : []))
      assert.deepInclude(calls, ["wether", "{}"])
      assert.deepInclude(calls, ["weather", "{"])
      assert.strictEqual(calls.length, 6)
      const last = all.at(-1)
      assert.deepInclude(last?.type === "loop-end" && last.result, {
        text: "21 degrees",
        rounds: 5,
        usage: { inputTokens: 15, outputTokens: 10, totalTokens: 25 }
      })
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("gives each part as soon as it is sent, in a later round too", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<string>()
      const rest = Effect.runPromise(Deferred.await(go))
      const server = yield* Scripted.make([{ name: "clock", arguments: "{}" }], { first: "it is ", rest })
      const seen = yield* Deferred.make<ReadonlyArray<Part["type"]>>()
      const types: Array<Part["type"]> = []
      const all = yield* ToolLoop.stream({ prompt: "time?", toolkit }).pipe(
        Stream.tap(({ type }) => {
          types.push(type)
          return type === "text-delta" ? Deferred.succeed(seen, [...types]) : Effect.void
        }),
        Stream.runCollect,
        Effect.provide(model(server.baseURL)),
        Effect.fork
      )
      assert.includeMembers([...(yield* Deferred.await(seen))], ["tool-call", "tool-result", "round-end", "text-delta"])
      assert.isNull(all.unsafePoll())
      yield* Deferred.succeed(go, "noon")
      assert.strictEqual(textOf(Chunk.toArray(yield* Fiber.join(all))), "it is noon")
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("emits a quick tool's result while a slow one runs, and tools run concurrently", () =>
    Effect.gen(function* () {
      const quick = yield* Deferred.make<void>()
      const server = yield* Scripted.make([
        { name: "weather", arguments: rome },
        { name: "clock", arguments: "{}" }
      ])
      const { all } = yield* collect(
        ToolLoop.stream({ prompt: "both?", toolkit }).pipe(
          Stream.tap((part) =>
            part.type === "tool-result" && part.name === "clock" ? Deferred.succeed(quick, undefined) : Effect.void
          )
        )
      ).pipe(
        Effect.provide([
          model(server.baseURL),
          toolkit.toLayer({
            weather: () => Effect.as(Deferred.await(quick), { degrees: 21 }),
            clock: () => Effect.succeed("noon")
          })
        ])
      )
      const results = all.flatMap((part) => (part.type === "tool-result" ? [part.name] : []))
      assert.deepStrictEqual(results, ["clock", "weather"])
      // The model gets the results in the order of its calls.
      assert.deepStrictEqual(
        server.asked[1]!.messages.filter(({ role }) => role === "tool").map(({ content }) => content),
        ['{"degrees":21}', "noon"]
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("leaves nothing running when it is dropped in the middle of an answer", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make([{ name: "clock", arguments: "{}" }], {
        first: "it is ",
        rest: new Promise<string>(() => undefined)
      })
      const parts = ToolLoop.stream({ prompt: "time?", toolkit }).pipe(
        Stream.takeUntil(({ type }) => type === "text-delta"),
        Stream.runDrain,
        Effect.provide([model(server.baseURL), handlers])
      )
      yield* Effect.gen(function* () {
        yield* parts
        assert.isTrue(yield* idle)
        yield* Effect.promise(() => until(() => server.aborted() === 1))
      }).pipe(Effect.provide(ClientLayer.layer()), (all) => leakCheck(all, { within: "5 seconds" }))
      assert.strictEqual(server.asked.length, 2)
    })
  )

  it.scopedLive("leaves nothing running when it is interrupted while tools run, or while a server is silent", () =>
    Effect.gen(function* () {
      const tools = yield* waiting
      const server = yield* Scripted.make(tools.turn)
      const stalled = yield* Scripted.make(new Promise<string>(() => undefined))
      yield* Effect.gen(function* () {
        const working = yield* Stream.runDrain(ToolLoop.stream({ prompt: "both?", toolkit })).pipe(
          Effect.provide([model(server.baseURL), tools.handlers]),
          Effect.fork
        )
        yield* tools.both
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(working)))
        assert.strictEqual(tools.ended(), 2)
        assert.isTrue(yield* idle)
        const asking = yield* Stream.runDrain(ToolLoop.stream({ prompt: "?", toolkit })).pipe(
          Effect.provide([model(stalled.baseURL), handlers]),
          Effect.fork
        )
        yield* Effect.promise(() => until(() => stalled.asked.length === 1))
        yield* Fiber.interrupt(asking)
        assert.isTrue(yield* idle)
        yield* Effect.promise(() => until(() => stalled.aborted() === 1))
      }).pipe(Effect.provide(ClientLayer.layer()), (all) => leakCheck(all, { within: "5 seconds" }))
    })
  )

  it.scopedLive("applies backpressure to the server while parts are not consumed", () =>
    Effect.gen(function* () {
      const flood = Wire.flood()
      const wire = yield* Wire.make(flood.answer)
      const begun = yield* Deferred.make<void>()
      const fiber = yield* ToolLoop.stream({ prompt: "hello", toolkit }).pipe(
        Stream.runForEach(() => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)),
        Effect.provide(model(wire.baseURL("openai"))),
        Effect.fork
      )
      yield* Deferred.await(begun)
      assert.isTrue(yield* Effect.promise(flood.isHeld))
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive(
    "fails behind what came before: after its last round, with a tool's failure, if a model fails midway",
    () =>
      Effect.gen(function* () {
        const call = [{ name: "clock", arguments: "{}" }]
        const endless = yield* Scripted.make(call, call, call)
        const many = yield* Effect.provide(
          collect(ToolLoop.stream({ prompt: "time?", toolkit, maxRounds: 2 })),
          model(endless.baseURL)
        )
        assert.strictEqual(many.all.filter(({ type }) => type === "round-end").length, 2)
        const tooMany = yield* Effect.flip(many.exit)
        assert.isTrue(tooMany instanceof ToolLoop.MaxRounds && tooMany.transcript.content.length === 5, String(tooMany))
        assert.strictEqual(endless.asked.length, 2)

        const server = yield* Scripted.make([{ name: "weather", arguments: '{"city":"Atlantis"}' }])
        const failing = yield* Effect.provide(
          collect(ToolLoop.stream({ prompt: "Atlantis?", toolkit, onToolFailure: "fail" })),
          model(server.baseURL)
        )
        assert.include(
          failing.all.map(({ type }) => type),
          "tool-call"
        )
        assert.deepInclude(yield* Effect.flip(failing.exit), { _tag: "Broken", what: "sunk" })

        const sandbox = yield* Sandbox.make({ faults: [{ match: { nth: 2 }, fault: { type: "status", status: 500 } }] })
        const second = yield* Effect.provide(
          collect(ToolLoop.stream({ prompt: "what does clock say?", toolkit })),
          model(sandbox.baseURL("openai"))
        )
        assert.deepInclude(second.all.at(-1), { type: "round-end", round: 1 })
        const refused = yield* Effect.flip(second.exit)
        assert.deepStrictEqual([kindOf(refused), statusOf(refused)], [kinds.server, 500])

        const foreign = yield* LanguageModel.make({
          generateText: () => Effect.succeed([]),
          streamText: () =>
            Stream.make(
              { type: "text-start" as const, id: "0" },
              { type: "text-delta" as const, id: "0", delta: "half" },
              { type: "error" as const, error: "out of luck" }
            )
        })
        const told = yield* collect(ToolLoop.stream({ prompt: "?", toolkit })).pipe(
          Effect.provideService(LanguageModel.LanguageModel, foreign)
        )
        const failure = yield* Effect.flip(told.exit)
        assert.deepStrictEqual([kindOf(failure), causeOf(failure)], [kinds.unknown, "out of luck"])
      }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("goes on with a conversation, of which a dropped answer is no part", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make(
        [{ name: "clock", arguments: "{}" }],
        "noon",
        { first: "still ", rest: new Promise<string>(() => undefined) },
        "late"
      )
      const chat = yield* Chat.empty
      const ask = (prompt: string) =>
        Stream.provideSomeLayer(ToolLoop.stream({ prompt, toolkit, chat }), model(server.baseURL))
      yield* Stream.runDrain(ask("time?"))
      const before = yield* Ref.get(chat.history)
      assert.deepStrictEqual(
        before.content.map(({ role }) => role),
        ["user", "assistant", "tool", "assistant"]
      )
      yield* Stream.runDrain(Stream.takeUntil(ask("and now?"), ({ type }) => type === "text-delta"))
      assert.deepStrictEqual(yield* Ref.get(chat.history), before)
      yield* Stream.runDrain(ask("and now?"))
      assert.deepStrictEqual(
        server.asked[3]!.messages.map(({ role }) => role),
        ["user", "assistant", "tool", "assistant", "user"]
      )
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )
})
