import * as Chat from "@effect/ai/Chat"
import { assert, describe, it } from "@effect/vitest"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Persistence from "@effect/experimental/Persistence"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import { until } from "../support/wait.ts"
import { subjects } from "../ai/models.ts"
import * as Scripted from "../ai/scripted.ts"
import { assertToldOfMistakes, Broken, handlers, mistakes, model, rome, toolkit, waiting } from "../ai/tools.ts"

const results = (asked: { readonly messages: ReadonlyArray<{ readonly role: string; readonly content: string }> }) =>
  asked.messages.filter(({ role }) => role === "tool").map(({ content }) => content)

describe("a tool loop", () => {
  it.scopedLive.each(subjects)("asks $name again with the tool results, until it stops", ({ at, provider }) =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const result = yield* ToolLoop.run({ prompt: "please call both", toolkit }).pipe(
        Effect.provide(at(sandbox.baseURL(provider)))
      )
      assert.isNotEmpty(result.text)
      assert.strictEqual(result.finishReason, "stop")
      assert.strictEqual(result.rounds, 2)
      assert.strictEqual(sandbox.stats().requests, 2)
      assert.deepStrictEqual(
        result.transcript.content.map(({ role }) => role),
        ["user", "assistant", "tool", "assistant"]
      )
      assert.isAbove(result.usage.totalTokens ?? 0, 0)
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("reports invalid parameters, invalid JSON, unknown tools and failing tools to the model", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make(...mistakes)
      const result = yield* Effect.provide(ToolLoop.run({ prompt: "Rome?", toolkit }), model(server.baseURL))
      assert.strictEqual(result.text, "21 degrees")
      assert.strictEqual(result.rounds, 5)
      assert.deepStrictEqual(result.usage, { inputTokens: 15, outputTokens: 10, totalTokens: 25 })
      const last = results(server.asked[4]!)
      assertToldOfMistakes(last)
      // Its own messages are repeated to it unchanged.
      assert.strictEqual(server.asked[4]!.messages.filter(({ role }) => role === "assistant").length, 4)
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("shows the model schemas in which all is required, and takes null for what is left out", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make([{ name: "weather", arguments: rome }])
      yield* Effect.provide(ToolLoop.run({ prompt: "Rome?", toolkit }), model(server.baseURL))
      const { parameters } = server.asked[0]!.tools![0]!.function
      assert.deepStrictEqual(parameters.required, ["city", "unit"])
      assert.isFalse(parameters.additionalProperties)
      assert.deepStrictEqual(results(server.asked[1]!), ['{"degrees":21}'])
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("fails with a tool's failure, if configured", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make([{ name: "weather", arguments: '{"city":"Atlantis"}' }])
      const error = yield* ToolLoop.run({ prompt: "Atlantis?", toolkit, onToolFailure: "fail" }).pipe(
        Effect.provide(model(server.baseURL)),
        Effect.flip
      )
      assert.isTrue(error instanceof Broken && error.what === "sunk")
      assert.strictEqual(server.asked.length, 1)
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("ends after its last round, with the whole transcript", () =>
    Effect.gen(function* () {
      const call = [{ name: "clock", arguments: "{}" }]
      const server = yield* Scripted.make(call, call, call, call)
      const error = yield* ToolLoop.run({ prompt: "time?", toolkit, maxRounds: 3 }).pipe(
        Effect.provide(model(server.baseURL)),
        Effect.flip
      )
      assert.isTrue(
        error instanceof ToolLoop.MaxRounds && error.rounds === 3 && error.transcript.content.length === 7,
        String(error)
      )
      assert.strictEqual(server.asked.length, 3)
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )

  it.scopedLive("runs its tools at the same time, and interruption ends them and the request", () =>
    Effect.gen(function* () {
      const tools = yield* waiting
      const server = yield* Scripted.make(tools.turn)
      const fiber = yield* ToolLoop.run({ prompt: "both?", toolkit }).pipe(
        Effect.provide([model(server.baseURL), tools.handlers]),
        Effect.fork
      )
      yield* tools.both
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.strictEqual(tools.ended(), 2)
      const { clients } = yield* ClientMap.stats
      assert.deepStrictEqual(
        clients.map(({ inFlight, leases }) => [inFlight, leases]),
        [[0, 0]]
      )
      const stalled = yield* Scripted.make(new Promise<string>(() => undefined))
      const asking = yield* Effect.fork(
        Effect.provide(ToolLoop.run({ prompt: "?", toolkit }), [model(stalled.baseURL), handlers])
      )
      yield* Effect.promise(() => until(() => stalled.asked.length === 1))
      yield* Fiber.interrupt(asking)
      yield* Effect.promise(() => until(() => stalled.aborted() === 1))
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("runs no more tools at once than it may, and chooses for the model in its first round alone", () =>
    Effect.gen(function* () {
      const calls = Array.from({ length: 4 }, () => ({ name: "clock", arguments: "{}" }))
      const server = yield* Scripted.make(calls, "noon", calls, "noon")
      let running = 0
      let most = 0
      const clock = () =>
        Effect.acquireUseRelease(
          Effect.sync(() => void (most = Math.max(most, ++running))),
          () => Effect.as(Effect.yieldNow(), "noon"),
          () => Effect.sync(() => void running--)
        )
      const options = { prompt: "time?", toolkit, concurrency: 2, toolChoice: "required" } as const
      const ask = Effect.zip(ToolLoop.run(options), Stream.runDrain(ToolLoop.stream(options)))
      yield* Effect.provide(ask, [
        model(server.baseURL),
        toolkit.toLayer({ weather: () => Effect.succeed({ degrees: 21 }), clock })
      ])
      assert.strictEqual(most, 2)
      assert.deepStrictEqual(
        server.asked.map(({ tool_choice }) => tool_choice),
        ["required", "auto", "required", "auto"]
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("ends with a tool's defect, which is not reported to the model", () =>
    Effect.gen(function* () {
      const call = [{ name: "clock", arguments: "{}" }]
      const server = yield* Scripted.make(call, call)
      const options = { prompt: "time?", toolkit }
      for (const ask of [ToolLoop.run(options), Stream.runDrain(ToolLoop.stream(options))]) {
        const exit = yield* Effect.exit(ask as Effect.Effect<unknown, unknown, Effect.Effect.Context<typeof ask>>).pipe(
          Effect.provide([
            model(server.baseURL),
            toolkit.toLayer({ weather: () => Effect.succeed({ degrees: 21 }), clock: () => Effect.die("no clock") })
          ])
        )
        assert.deepStrictEqual(Exit.isFailure(exit) && Cause.squash(exit.cause), "no clock")
      }
      assert.strictEqual(server.asked.length, 2)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("goes on with a conversation, which a store keeps", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make([{ name: "clock", arguments: "{}" }], "noon", "still noon")
      const open = Effect.flatMap(Chat.Persistence, (chats) => chats.getOrCreate("guest"))
      const first = yield* open
      yield* Effect.provide(ToolLoop.run({ prompt: "time?", toolkit, chat: first }), model(server.baseURL))
      const later = yield* open
      yield* Effect.provide(ToolLoop.run({ prompt: "and now?", toolkit, chat: later }), model(server.baseURL))
      assert.deepStrictEqual(
        server.asked[2]!.messages.map(({ role }) => role),
        ["user", "assistant", "tool", "assistant", "user"]
      )
    }).pipe(
      Effect.provide([
        handlers,
        ClientLayer.layer(),
        Chat.layerPersisted({ storeId: "chats" }).pipe(
          Layer.provide(Persistence.layerKeyValueStore),
          Layer.provide(KeyValueStore.layerMemory)
        )
      ])
    )
  )
})
