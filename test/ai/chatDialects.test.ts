/** Deviations of OpenAI-compatible servers from OpenAI, in whole answers and in streams. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as Wire from "./contractWire.ts"
import { model } from "./tools.ts"

const Clock = Tool.make("clock", { parameters: { zone: Schema.String }, success: Schema.String })

const toolkit = Toolkit.make(Clock)

const handlers = toolkit.toLayer({ clock: ({ zone }) => Effect.succeed(`noon ${zone}`) })

const open = { prompt: "hello", toolkit, disableToolCallResolution: true } as const

const cet = { name: "clock", params: { zone: "CET" } }
const gmt = { name: "clock", params: { zone: "GMT" } }
const half = { name: "clock", arguments: '{"zone":' }

/** The same pieces may be cut in any way, so each list is a stream's deltas. */
const streams: ReadonlyArray<readonly [says: string, deltas: ReadonlyArray<object>, calls: Array<typeof cet>]> = [
  [
    "an id and no index",
    [
      { tool_calls: [{ id: "a", function: half }] },
      { tool_calls: [{ function: { arguments: '"CET"}' } }] },
      { tool_calls: [{ id: "b", function: half }] },
      { tool_calls: [{ id: "b", function: { arguments: '"GMT"}' } }] }
    ],
    [cet, gmt]
  ],
  [
    "one index for all calls, whose ids differ",
    [
      { tool_calls: [{ index: 0, id: "a", function: { name: "clock", arguments: '{"zone":"CET"}' } }] },
      { tool_calls: [{ index: 0, id: "b", function: { name: "clock", arguments: '{"zone":"GMT"}' } }] }
    ],
    [cet, gmt]
  ],
  [
    "an id and a name that are empty in all pieces but the first",
    [
      { tool_calls: [{ index: 0, id: "a", function: half }] },
      { tool_calls: [{ index: 0, id: "", function: { name: "", arguments: '"CET"}' } }] },
      { tool_calls: [{ index: 1, id: "b", function: half }] },
      { tool_calls: [{ index: 1, id: "", function: { name: null, arguments: '"GMT"}' } }] }
    ],
    [cet, gmt]
  ],
  [
    "no index, and an id that is empty in all pieces but the first",
    [{ tool_calls: [{ id: "a", function: half }] }, { tool_calls: [{ id: "", function: { arguments: '"CET"}' } }] }],
    [cet]
  ],
  [
    "its name last",
    [
      { tool_calls: [{ index: 0, id: "a", function: { name: "", arguments: '{"zone":' } }] },
      { tool_calls: [{ index: 0, function: { name: "clock", arguments: '"CET"}' } }] }
    ],
    [cet]
  ],
  ["no id at all", [{ tool_calls: [{ index: 0, function: { name: "clock", arguments: '{"zone":"CET"}' } }] }], [cet]],
  [
    "arguments that are an object",
    [{ tool_calls: [{ index: 0, id: "a", function: { name: "clock", arguments: { zone: "CET" } } }] }],
    [cet]
  ]
]

const callsOf = (parts: ReadonlyArray<Response.AnyPart>) =>
  parts.flatMap((part) => (part.type === "tool-call" ? [{ name: part.name, params: part.params as unknown }] : []))

const streamed = Effect.map(Stream.runCollect(LanguageModel.streamText(open)), (parts) => Array.from(parts))

const ask = <A, E, R>(wire: Wire.Wire, agent: Effect.Effect<A, E, R>) =>
  Effect.provide(agent, [model(wire.baseURL("openai")), handlers])

describe("a model of an OpenAI-compatible server", () => {
  it.scopedLive.each(streams)("puts calls together that come with %s", ([, deltas, calls]) =>
    Effect.gen(function* () {
      const wire = yield* Wire.make((response) => Wire.stream(response).end(Wire.deltas(deltas, "tool_calls")))
      const parts = yield* ask(wire, streamed)
      assert.deepStrictEqual(callsOf(parts), calls)
      // Calls streamed in pieces equal the calls made, under ids that differ.
      const heard = new Map<string, string>()
      for (const part of parts) {
        if (part.type === "tool-params-start") assert.strictEqual(part.name, "clock")
        if (part.type === "tool-params-delta") heard.set(part.id, (heard.get(part.id) ?? "") + part.delta)
      }
      assert.deepStrictEqual(
        [...heard.values()].map((text) => JSON.parse(text) as unknown),
        calls.map(({ params }) => params)
      )
      assert.deepInclude(parts.at(-1), { type: "finish", reason: "tool-calls" })
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("takes whole calls without ids, and with arguments that are an object", () =>
    Effect.gen(function* () {
      const tool_calls = [
        { id: "", function: { name: "clock", arguments: { zone: "CET" } } },
        { id: "", function: { name: "clock", arguments: '{"zone":"GMT"}' } },
        { function: { name: "clock", arguments: '{"zone":"CET"}' } }
      ]
      const wire = yield* Wire.make((response) =>
        Wire.whole(response, { id: "", choices: [{ message: { content: null, tool_calls }, finish_reason: "stop" }] })
      )
      const { content, finishReason, toolCalls } = yield* ask(wire, LanguageModel.generateText(open))
      assert.deepStrictEqual(callsOf(content), [cet, gmt, cet])
      assert.strictEqual(new Set(toolCalls.map(({ id }) => id)).size, 3)
      assert.strictEqual(finishReason, "tool-calls")
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("reads text and reasoning out of pieces", () =>
    Effect.gen(function* () {
      const thought = { type: "thinking", thinking: [{ type: "text", text: "let me see" }] }
      const content = [thought, { type: "text", text: "so " }, { type: "text", text: "it is" }]
      const wire = yield* Wire.make((response) => {
        if (wire.sent.length === 1) Wire.whole(response, { choices: [{ message: { content }, finish_reason: "stop" }] })
        else Wire.stream(response).end(Wire.deltas([{ content: [thought] }, { content: content.slice(1) }], "stop"))
      })
      const whole = yield* ask(wire, LanguageModel.generateText({ prompt: "hello" }))
      assert.deepStrictEqual([whole.reasoningText, whole.text], ["let me see", "so it is"])
      const parts = yield* ask(wire, streamed)
      assert.deepStrictEqual(
        parts.flatMap((part) =>
          part.type === "reasoning-delta" || part.type === "text-delta" ? [[part.type, part.delta]] : []
        ),
        [
          ["reasoning-delta", "let me see"],
          ["text-delta", "so it is"]
        ]
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("takes a stream whose events have no id", () =>
    Effect.gen(function* () {
      const wire = yield* Wire.make((response) =>
        Wire.stream(response).end(Wire.deltas([{ content: "so it is" }], "stop", ""))
      )
      const parts = yield* ask(wire, streamed)
      assert.strictEqual(parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join(""), "so it is")
      assert.deepInclude(parts.at(-1), { type: "finish", reason: "stop" })
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})
