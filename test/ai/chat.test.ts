/** Conversations that a store keeps. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Chat from "@effect/ai/Chat"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as Persistence from "@effect/experimental/Persistence"
import * as NodeKeyValueStore from "@effect/platform-node/NodeKeyValueStore"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as GroqModel from "../../src/GroqModel.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import * as ToolLoop from "../../src/ToolLoop.ts"

const client = { apiKey: Redacted.make("sk"), maxRetries: 0 }

const Clock = Tool.make("clock", { parameters: { zone: Schema.String }, success: Schema.String })
const toolkit = Toolkit.make(Clock)
const handlers = toolkit.toLayer({ clock: ({ zone }) => Effect.succeed(`noon in ${zone}`) })

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "clientele-chat-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const answered = (...output: ReadonlyArray<object>): ClientMapTest.Answer => ({
  body: { id: "resp", model: "m", status: "completed", output }
})

const thought = (n: number) => ({
  type: "reasoning",
  id: `rs_${n}`,
  encrypted_content: `secret ${n}`,
  summary: [{ type: "summary_text", text: `thought ${n}` }]
})

const said = (text: string) => ({ type: "message", id: `msg_${text}`, content: [{ type: "output_text", text }] })

const answers: ReadonlyArray<ClientMapTest.Answer> = [
  answered(thought(1), { type: "function_call", id: "fc", call_id: "c", name: "clock", arguments: '{"zone":"Rome"}' }),
  answered(thought(2), said("noon"))
]

it.scoped(
  "a conversation goes on after a restart, with what was thought and what tools gave, and on another model",
  () =>
    Effect.gen(function* () {
      const path = yield* folder
      /** Everything is made anew, but for the folder. */
      const process = <A, E>(
        script: ReadonlyArray<ClientMapTest.Answer>,
        body: (
          chat: Chat.Persisted,
          requests: ClientMapTest.Service["requests"]
        ) => Effect.Effect<A, E, Tool.HandlersFor<typeof toolkit.tools> | ClientMap>
      ) =>
        Effect.gen(function* () {
          const chat = yield* Effect.flatMap(Chat.Persistence, (chats) => chats.getOrCreate("guest"))
          const { requests } = yield* ClientMapTest.ClientMapTest
          yield* body(chat, requests)
          return requests.map(
            ({ body }) => body as Readonly<Record<string, ReadonlyArray<Readonly<Record<string, unknown>>>>>
          )
        }).pipe(
          Effect.provide([
            handlers,
            ClientMapTest.layer({ script: ({ index }) => script[index] }),
            Chat.layerPersisted({ storeId: "chats" }).pipe(
              Layer.provide(Persistence.layerKeyValueStore),
              Layer.provide(NodeKeyValueStore.layerFileSystem(path))
            )
          ])
        )
      const responses = OpenAiModel.responsesModel("m", { client, body: { store: false } })
      yield* process(answers, (chat) =>
        Effect.provide(ToolLoop.run({ prompt: "what time is it?", toolkit, chat }), responses)
      )
      const [asked] = yield* process([answered(said("yes"))], (chat) =>
        Effect.provide(chat.generateText({ prompt: "sure?" }), responses)
      )
      assert.deepStrictEqual(
        asked?.["input"]?.map(({ content, encrypted_content, output, role, type }) => [
          role ?? type,
          encrypted_content ?? output ?? (content as ReadonlyArray<{ readonly text: string }> | undefined)?.[0]?.text
        ]),
        [
          ["user", "what time is it?"],
          ["reasoning", "secret 1"],
          ["function_call", undefined],
          ["function_call_output", "noon in Rome"],
          ["reasoning", "secret 2"],
          ["assistant", "noon"],
          ["user", "sure?"]
        ]
      )
      const [elsewhere] = yield* process([ClientMapTest.text("of course")], (chat) =>
        Effect.provide(chat.generateText({ prompt: "really?" }), GroqModel.model("m", { client }))
      )
      assert.deepStrictEqual(
        elsewhere?.["messages"]?.map(({ content, role }) => [role, content]),
        [
          ["user", "what time is it?"],
          ["assistant", null],
          ["tool", "noon in Rome"],
          ["assistant", "noon"],
          ["user", "sure?"],
          ["assistant", "yes"],
          ["user", "really?"]
        ]
      )
    })
)
