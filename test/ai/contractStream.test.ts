/** Contract of every model, on every server: a stream turns out as the whole answer does. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"
import { agents, atlantis, failure, layers, same, texts, toolkit } from "./contractAgents.ts"
import { type Odd, type Running, servers } from "./contractServers.ts"
import { kinds } from "./lines.ts"

const call = (name: string, text: string) => ({ name, arguments: text })
const clock = call("clock", '{"zone":"CET"}')
const garbage = { kind: kinds.garbage, status: undefined, reason: "Malformed" }

/** The server's answer; the outcome of a model call; the outcome of a tool loop. */
const cases: ReadonlyArray<readonly [name: string, odd: Odd, model: object, loop: object]> = [
  ["a refusal", "refusal", { text: "", calls: [] }, { finishReason: "content-filter", rounds: 1, isSaid: false }],
  ["an answer that is cut at its length", "length", { calls: [] }, { finishReason: "length", rounds: 1, isSaid: true }],
  ["an empty answer", "empty", { text: "", calls: [] }, { finishReason: "stop", rounds: 1, isSaid: false }],
  [
    "calls at the same time",
    { calls: [clock, atlantis] },
    { text: "", calls: [clock, atlantis].map(({ arguments: text, name }) => ({ name, params: JSON.parse(text) })) },
    { finishReason: "stop", rounds: 2, roles: ["user", "assistant", "tool", "assistant"] }
  ],
  [
    "parameters that don't fit",
    { calls: [clock, call("clock", '{"zone":7}')] },
    { kind: kinds.params, status: undefined, calls: undefined },
    { finishReason: "stop", rounds: 2 }
  ],
  [
    "a tool that there is not",
    { calls: [call("wether", "{}"), clock] },
    { kind: kinds.unknownTool, status: undefined, reason: undefined },
    { finishReason: "stop", rounds: 2 }
  ],
  [
    "arguments that are invalid JSON",
    { calls: [call("clock", '{"zone":')] },
    { kind: kinds.invalidJson, status: undefined, reason: undefined },
    { finishReason: "stop", rounds: 2 }
  ],
  [
    "a limit",
    { status: 429 },
    { kind: kinds.limit, status: 429, reason: "RateLimited" },
    { kind: kinds.limit, status: 429, reason: "RateLimited" }
  ],
  [
    "a server that fails",
    { status: 500 },
    { kind: kinds.server, status: 500, reason: "Server" },
    { kind: kinds.server, status: 500, reason: "Server" }
  ],
  ["garbage", "garbage", garbage, garbage],
  [
    "a failure under a status of 200",
    "failed",
    { kind: kinds.reported, reason: "Server" },
    { kind: kinds.reported, reason: "Server" }
  ]
]

/** True if anything came, and the failure that ended it. */
const cutShort = Effect.gen(function* () {
  let text = ""
  const error = yield* ToolLoop.stream({ prompt: "hello", toolkit, toolChoice: "none" }).pipe(
    Stream.runForEach((part) => Effect.sync(() => (text += part.type === "text-delta" ? texts([part]) : ""))),
    Effect.flip
  )
  return { isBegun: text !== "", ...failure(error) }
})

describe.each(servers)("a stream of every model, on $name", ({ make }) => {
  const holds = <E>(
    name: string,
    body: (server: Running) => Effect.Effect<void, E, Layer.Layer.Success<typeof layers>>
  ) => it.scopedLive(name, () => Effect.provide(Effect.flatMap(make, body), layers))

  for (const [name, odd, model, loop] of cases) {
    holds(`turns out as the whole answer does: ${name}`, (server) =>
      Effect.gen(function* () {
        const expected = { model, loop }
        // The sandbox calls a tool wherever it may.
        const toolChoice = odd === "length" ? "none" : "auto"
        for (const [kind, { stream, whole }] of Object.entries(agents({ prompt: "hello", toolChoice }))) {
          const short = OpenAiModel.withSettings(odd === "length" ? { maxTokens: 2 } : {})
          const one = yield* same(server, short(whole), odd, "whole")
          assert.deepInclude(one, expected[kind as keyof typeof expected])
          assert.deepStrictEqual(yield* same(server, short(stream), odd, "stream"), one)
        }
      })
    )
  }

  holds("ends a tool loop with the parts before the cut, and its reason", (server) =>
    Effect.gen(function* () {
      const cut = yield* same(server, cutShort, "cut", "stream")
      assert.deepInclude(cut, { isBegun: true, kind: kinds.connection, reason: "Connection" })
    })
  )
})
