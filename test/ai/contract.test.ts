/** Contract of every model, on every server. One agent's source over all layers gives the same. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import { atlantis, failure, layers, loop, same, texts, toolkit } from "./contractAgents.ts"
import { type Running, servers } from "./contractServers.ts"
import { kindOf, kinds, usageOf } from "./lines.ts"
import { subjects } from "./models.ts"

class Person extends Schema.Class<Person>("Person")({
  name: Schema.String,
  age: Schema.optional(Schema.Number),
  tags: Schema.Array(Schema.String)
}) {}

const generate = (prompt: string) =>
  Effect.map(LanguageModel.generateText({ prompt }), ({ finishReason, text, usage }) => ({
    finishReason,
    text,
    inputTokens: usageOf(usage).inputTokens
  }))

const refused = (prompt: string) => Effect.map(Effect.flip(LanguageModel.generateText({ prompt })), failure)

describe.each(servers)("every model, on $name", ({ make }) => {
  const holds = <E>(
    name: string,
    body: (server: Running) => Effect.Effect<void, E, Layer.Layer.Success<typeof layers>>
  ) => it.scopedLive(name, () => Effect.provide(Effect.flatMap(make, body), layers))

  holds("gives a text, its finish reason and its usage", (server) =>
    Effect.gen(function* () {
      const { finishReason, inputTokens, text } = yield* same(server, generate("hello"))
      assert.isNotEmpty(text)
      assert.strictEqual(finishReason, "stop")
      assert.isAbove(inputTokens ?? 0, 0)
    })
  )

  holds("streams in parts the text that it gives whole, and ends with its usage", (server) =>
    Effect.gen(function* () {
      const whole = yield* same(server, generate("hello"))
      const { deltas, finish, text } = yield* same(
        server,
        Effect.map(Stream.runCollect(LanguageModel.streamText({ prompt: "hello" })), (chunk) => {
          const parts = Array.from(chunk)
          const last = parts.at(-1)
          return {
            text: texts(parts),
            deltas: parts.filter(({ type }) => type === "text-delta").length,
            finish: last?.type === "finish" && { reason: last.reason, inputTokens: usageOf(last.usage).inputTokens }
          }
        })
      )
      assert.strictEqual(text, whole.text)
      assert.isAbove(deltas, 1)
      assert.deepStrictEqual(finish, { reason: "stop", inputTokens: whole.inputTokens })
    })
  )

  holds("calls a tool with nested parameters, and goes on with its result", (server) =>
    Effect.gen(function* () {
      const said = yield* same(server, loop("what does weather say?"))
      assert.deepInclude(said, { rounds: 2, isSaid: true, finishReason: "stop" })
      assert.deepStrictEqual(said.roles, ["user", "assistant", "tool", "assistant"])
      assert.strictEqual(said.told.length, 1)
      assert.deepInclude(said.told[0]?.result, { degrees: 21 })
    })
  )

  holds("calls several tools in one answer", (server) =>
    Effect.gen(function* () {
      const said = yield* same(server, loop("please call both"))
      assert.strictEqual(said.rounds, 2)
      assert.deepStrictEqual(said.told.map(({ name }) => name).toSorted(), ["clock", "weather"])
    })
  )

  holds("streams the calls of tools, and their results", (server) =>
    Effect.gen(function* () {
      const said = yield* same(
        server,
        Effect.map(Stream.runCollect(LanguageModel.streamText({ prompt: "please call both", toolkit })), (parts) => ({
          calls: Array.from(parts).flatMap((part) =>
            part.type === "tool-call" ? [[part.name, JSON.stringify(part.params)]] : []
          ),
          // They run at the same time.
          gave: new Map(
            Array.from(parts).flatMap((part) => (part.type === "tool-result" ? [[part.name, part.result]] : []))
          ),
          reasons: Array.from(parts).flatMap((part) => (part.type === "finish" ? [part.reason] : []))
        }))
      )
      assert.deepStrictEqual(said.calls.map(([name]) => name).toSorted(), ["clock", "weather"])
      assert.deepInclude(said.gave.get("weather"), { degrees: 21 })
      assert.match(String(said.gave.get("clock")), /^noon /)
      assert.deepStrictEqual(said.reasons, ["tool-calls"])
    })
  )

  holds("reports a failed tool to the model", (server) =>
    Effect.gen(function* () {
      const said = yield* same(server, loop("weather"), { calls: [atlantis] })
      assert.strictEqual(said.finishReason, "stop")
      assert.match(JSON.stringify(said.told), /^\[\{"name":"weather".*Atlantis/)
    })
  )

  holds("reports unknown tools, invalid parameters and invalid JSON to the model", (server) =>
    Effect.gen(function* () {
      for (const [call, told] of [
        [{ name: "wether", arguments: "{}" }, /unknown tool; available: weather, clock/],
        [{ name: "clock", arguments: '{"zone":7}' }, /invalid parameters.*zone/s],
        [{ name: "clock", arguments: '{"zone":' }, /invalid JSON/]
      ] as const) {
        const said = yield* same(server, loop("weather"), { calls: [call] })
        assert.strictEqual(said.finishReason, "stop")
        assert.match(JSON.stringify(said.told), told)
      }
    })
  )

  holds("gives an object of a schema, in which null stands for optional fields", (server) =>
    Effect.gen(function* () {
      const person = yield* same(
        server,
        Effect.map(LanguageModel.generateObject({ prompt: "a person", schema: Person }), ({ value }) => value)
      )
      assert.isTrue(person instanceof Person && (person.age === undefined || typeof person.age === "number"))
    })
  )

  holds("fails for an object that does not fit its schema, or is invalid JSON", (server) =>
    Effect.gen(function* () {
      const object = Effect.flip(LanguageModel.generateObject({ prompt: "a person", schema: Person }))
      for (const text of ['{"name":"Ada","age":"old","tags":[]}', '{"name":"Ada"', "Ada, 36", "null"]) {
        assert.deepInclude(yield* same(server, Effect.map(object, failure), { text }), { kind: kinds.object })
      }
    })
  )

  holds("reports a refusal of the model, and has no object then", (server) =>
    Effect.gen(function* () {
      const { finishReason, text } = yield* same(server, generate("hello"), "refusal")
      assert.deepStrictEqual([finishReason, text], ["content-filter", ""])
      const object = Effect.flip(LanguageModel.generateObject({ prompt: "a person", schema: Person }))
      // A server that can't say that the model refused gives an empty text, which is no object.
      assert.oneOf(yield* same(server, Effect.map(object, kindOf), "refusal"), [kinds.refusal, kinds.object])
    })
  )

  holds("reports an answer cut at its length", (server) =>
    Effect.gen(function* () {
      const short = OpenAiModel.withSettings(generate("hello"), { maxTokens: 2 })
      const { finishReason, text } = yield* same(server, short, "length")
      assert.strictEqual(finishReason, "length")
      assert.strictEqual(text.trim().split(" ").length, 2)
    })
  )

  holds("accepts an empty answer", (server) =>
    Effect.gen(function* () {
      const { finishReason, text } = yield* same(server, generate("hello"), "empty")
      assert.deepStrictEqual([finishReason, text], ["stop", ""])
    })
  )

  holds("reports a server's refusal, its failure, and garbage", (server) =>
    Effect.gen(function* () {
      const before = server.requests()
      const limited = yield* same(server, refused("hello"), { status: 429 })
      assert.deepInclude(limited, { kind: kinds.limit, status: 429, reason: "RateLimited" })
      const failed = yield* same(server, refused("hello"), { status: 500 })
      assert.deepInclude(failed, { kind: kinds.server, status: 500, reason: "Server" })
      const garbage = yield* same(server, refused("hello"), "garbage")
      assert.deepInclude(garbage, { kind: kinds.garbage, status: undefined, reason: "Malformed" })
      assert.strictEqual(server.requests() - before, 3 * subjects.length)
    })
  )

  holds("emits the parts of a stream that was cut, and then fails", (server) =>
    Effect.gen(function* () {
      const said = yield* same(
        server,
        Effect.gen(function* () {
          let text = ""
          const error = yield* LanguageModel.streamText({ prompt: "hello" }).pipe(
            Stream.runForEach((part) => Effect.sync(() => (text += texts([part])))),
            Effect.flip
          )
          const { kind, reason } = failure(error)
          return { isBegun: text !== "", kind, reason }
        }),
        "cut"
      )
      assert.deepStrictEqual(said, { isBegun: true, kind: kinds.connection, reason: "Connection" })
    })
  )
})
