/** Events that servers of the Responses API leave out of their streams: all of it is in the last event. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import * as Wire from "./contractWire.ts"
import { handlers, rome, toolkit } from "./tools.ts"

const message = {
  id: "msg",
  type: "message",
  role: "assistant",
  content: [{ type: "output_text", text: "so it is" }]
}
const weather = { id: "fc_0", call_id: "call_0", type: "function_call", name: "weather", arguments: rome }
const bad = { id: "fc_1", call_id: "call_1", type: "function_call", name: "clock", arguments: '{"zone":' }

const created = { type: "response.created", response: { id: "r", output: [] } }

const sse = (said: ReadonlyArray<object>, output: ReadonlyArray<object>): string =>
  [created, ...said, { type: "response.completed", response: { id: "r", status: "completed", output } }]
    .map((event) => `data: ${JSON.stringify(event)}\n\n`)
    .join("")

const delta = (item_id: string, delta: string) => ({ type: "response.output_text.delta", item_id, delta })

const at = (wire: Wire.Wire) =>
  OpenAiModel.responsesModel("m", {
    client: { apiKey: Redacted.make("sk"), baseURL: wire.baseURL("openai"), maxRetries: 0 }
  })

const texts: ReadonlyArray<readonly [what: string, events: string]> = [
  ["nothing but the last event", sse([], [message])],
  ["no end of its text", sse([delta("msg", "so "), delta("msg", "it is")], [message])],
  [
    "a name for its text that changes",
    sse([delta("a", "so "), delta("a", "it is"), { type: "response.output_item.done", item: message }], [message])
  ]
]

describe("a model of a server with the Responses API", () => {
  it.scopedLive.each(texts)("gives a text once, whole and ended, of a stream with %s", ([, events]) =>
    Effect.gen(function* () {
      const wire = yield* Wire.make((response) => Wire.stream(response).end(events))
      const parts = Array.from(
        yield* Effect.provide(Stream.runCollect(LanguageModel.streamText({ prompt: "hello" })), at(wire))
      )
      const types = parts.map(({ type }) => type).filter((type) => type !== "text-delta")
      assert.deepStrictEqual(types, ["response-metadata", "text-start", "text-end", "finish"])
      const text = parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")
      assert.strictEqual(text, "so it is")
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("calls each tool once, whether its call has all events, a beginning, or none", () =>
    Effect.gen(function* () {
      const added = { type: "response.output_item.added", item: weather }
      const done = { type: "response.output_item.done", item: weather }
      const streams = [sse([added, done], [weather, bad]), sse([added], [weather, bad]), sse([], [weather, bad])]
      const wire = yield* Wire.make((response) => Wire.stream(response).end(streams.shift() ?? sse([], [message])))
      const parts = Array.from(
        yield* Effect.provide(Stream.runCollect(ToolLoop.stream({ prompt: "Rome?", toolkit })), at(wire))
      )
      const rounds = (type: string) => parts.flatMap((part) => (part.type === type && "id" in part ? [part.id] : []))
      const each = ["call_0", "call_1", "call_0", "call_1", "call_0", "call_1"]
      for (const type of ["tool-params-start", "tool-params-end", "tool-call"]) {
        assert.deepStrictEqual(rounds(type), each, type)
      }
      assert.deepStrictEqual(
        parts.flatMap((part) => (part.type === "tool-result" ? [[part.name, part.isFailure]] : [])).toSorted(),
        [
          ["clock", true],
          ["clock", true],
          ["clock", true],
          ["weather", false],
          ["weather", false],
          ["weather", false]
        ]
      )
      const last = parts.at(-1)
      assert.deepInclude(last?.type === "loop-end" && last.result, { text: "so it is", rounds: 4 })
    }).pipe(Effect.provide([handlers, ClientLayer.layer()]))
  )
})
