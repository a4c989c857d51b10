/** Elements of what a caller's function returns: together if they have come, and never asked for ahead of their consumer. */
import { describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as CallContext from "../../src/internal/request/callContext.ts"
import * as callStream from "../../src/internal/request/callStream.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { json, start } from "../direct/recorder.ts"
import { hold } from "../support/heldServer.ts"
import { eventually } from "../support/wait.ts"

const place = { provider: "openai", baseURL: "http://127.0.0.1" }

const event = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`

const configOf = (baseURL: string) => OpenAiClient.config({ apiKey: Redacted.make("sk-1"), baseURL })

const held = Effect.acquireRelease(
  Effect.promise(() => hold()),
  ({ close }) => Effect.promise(close)
)

const recorded = Effect.acquireRelease(Effect.promise(start), ({ close }) => Effect.promise(close))

const asked = { model: "test-model", messages: [{ role: "user" as const, content: "hello" }], stream: true as const }

const count = (of: () => number, wanted: number) => eventually(Effect.sync(of), (now) => now === wanted)

/** Sizes of the chunks that have come, as they come. */
const reading = Effect.gen(function* () {
  const server = yield* held
  const config = yield* configOf(server.origin)
  const sizes: Array<number> = []
  const stream = OpenAiClient.stream(config, (openai) => openai.chat.completions.create(asked))
  const fiber = yield* Effect.fork(
    Stream.runForEachChunk(stream, (chunk) => Effect.sync(() => sizes.push(Chunk.size(chunk))))
  )
  yield* count(server.requests, 1)
  return { server, sizes, fiber, come: (wanted: number) => count(() => sizes.length, wanted) }
})

describe("a stream of an SDK", () => {
  it.scopedLive("leaves its fiber in the async context that it had", () =>
    Effect.gen(function* () {
      const server = yield* held
      const config = yield* configOf(server.origin)
      const stream = OpenAiClient.stream(config, (openai) => openai.chat.completions.create(asked))
      const seen: Array<CallContext.CallContext | undefined> = []
      const look = Effect.sync(() => seen.push(CallContext.current()))
      const fiber = yield* Effect.fork(
        Effect.zipRight(
          Stream.runForEach(stream, () => look),
          look
        )
      )
      yield* count(server.requests, 1)
      server.write(event("x"))
      yield* count(() => seen.length, 1)
      server.write("data: [DONE]\n\n")
      server.end()
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen, [undefined, undefined])
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("gives in one chunk the events that came in one read", () =>
    Effect.gen(function* () {
      const { come, fiber, server, sizes } = yield* reading
      for (const [i, count] of [3, 1, 2].entries()) {
        server.write(event("x").repeat(count))
        yield* come(i + 1)
      }
      server.write("data: [DONE]\n\n")
      server.end()
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(sizes, [3, 1, 2])
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("gives an event at once whose lines of data are more than its elements", () =>
    Effect.gen(function* () {
      const { come, fiber, server, sizes } = yield* reading
      server.write(event("x") + event("y").replace("{", "{\ndata: "))
      yield* come(1)
      server.write(`${event("z")}data: [DONE]\n\n`)
      server.end()
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(sizes, [2, 1])
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("gives back its lease when it has ended, and when its consumer has enough", () =>
    Effect.gen(function* () {
      const server = yield* recorded
      server.answer = {
        headers: { "content-type": "text/event-stream" },
        pieces: [event("a") + event("b"), "data: [DONE]\n\n"]
      }
      const config = yield* configOf(server.origin)
      const stream = OpenAiClient.stream(config, (openai) => openai.chat.completions.create(asked))
      assert.strictEqual(yield* Stream.runCount(stream), 2)
      assert.strictEqual(yield* Stream.runCount(Stream.take(stream, 1)), 1)
      yield* eventually(ClientMap.stats, ({ clients }) =>
        clients.every(({ inFlight, leases }) => inFlight + leases === 0)
      )
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

describe("an iterable that may send requests for its elements", () => {
  it.scopedLive("is asked for the next page when its elements have been taken, and not before", () =>
    Effect.gen(function* () {
      const server = yield* recorded
      server.answer = json({ object: "list", data: [{ id: "a" }, { id: "b" }], has_more: true, last_id: "b" })
      const config = yield* configOf(server.origin)
      const batches = OpenAiClient.stream(config, (openai) => openai.batches.list())
      for (const [taken, requests] of [
        [1, 1],
        [2, 1],
        [3, 2],
        [5, 3]
      ] as const) {
        server.sent.length = 0
        assert.strictEqual(yield* Stream.runCount(Stream.take(batches, taken)), taken)
        assert.lengthOf(server.sent, requests)
      }
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.scopedLive("takes no step beyond the elements that are taken, whatever events it has read for them", () =>
    Effect.gen(function* () {
      const server = yield* recorded
      server.answer = {
        headers: { "content-type": "text/event-stream" },
        pieces: [`${event("a")}${event("b")}data: [DONE]\n\n`]
      }
      const config = yield* configOf(server.origin)
      let begun = 0
      const steps = OpenAiClient.stream(config, async (openai) =>
        (async function* () {
          for (;;) {
            let text = ""
            begun++
            for await (const { choices } of await openai.chat.completions.create(asked))
              text += choices[0]?.delta.content
            yield text
          }
        })()
      )
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(steps, 1))), ["ab"])
      assert.strictEqual(begun, 1)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )

  it.effect("is asked for one element at a time, and for none beyond those that are taken", () =>
    Effect.gen(function* () {
      let made = 0
      async function* numbers() {
        for (;;) yield made++
      }
      const chunks = Stream.chunks(
        Stream.take(
          callStream.stream(place, async () => numbers()),
          3
        )
      )
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(Chunk.map(yield* Stream.runCollect(chunks), (one) => Chunk.size(one))),
        [1, 1, 1]
      )
      assert.strictEqual(made, 3)
    })
  )
})
