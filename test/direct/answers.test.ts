/** The same answers are the same values, through an SDK's client or without one, over answers of each shape. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import { body, type Door, providers, type Doors } from "./doors.ts"
import { type Answer, events, json, type Recorder, start } from "./recorder.ts"
import { draws } from "../support/draws.ts"

let server: Recorder
const runtime = ManagedRuntime.make(ClientLayer.layer())
const configs = new Map<string, ClientConfig>()

beforeAll(async () => {
  server = await start()
  const place = { baseURL: () => `${server.origin}/v1`, ca: "" }
  for (const { name, subject } of providers) {
    const options = { maxRetries: 0, transport: { ca: undefined, circuitFailures: false } } as const
    configs.set(name, await runtime.runPromise(subject.config(place, options)))
  }
})

afterAll(async () => {
  await runtime.dispose()
  await server.close()
})

const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constantFrom("\u2028", "\r\n\n", "data: [DONE]"))
const maybe = <A>(value: fc.Arbitrary<A>) => fc.option(value, { nil: null })

const call = fc.record({
  id: text,
  type: fc.constant("function"),
  function: fc.record({ name: text, arguments: text })
})

const usage = fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat(), total_tokens: fc.nat() })

/** Fields beside those that are known, which are given on as they are. */
const more = fc.dictionary(fc.stringMatching(/^x_[a-z]{1,5}$/), fc.jsonValue({ maxDepth: 2, noUnicodeString: false }), {
  maxKeys: 2
})

const completion = fc
  .tuple(
    fc.record({
      id: text,
      object: fc.constant("chat.completion"),
      created: fc.nat(),
      model: text,
      choices: fc.array(
        fc.record(
          {
            index: fc.nat(9),
            message: fc.record(
              {
                role: fc.constant("assistant"),
                content: maybe(text),
                refusal: maybe(text),
                tool_calls: fc.array(call)
              },
              { requiredKeys: ["role", "content"] }
            ),
            finish_reason: maybe(fc.constantFrom("stop", "length", "tool_calls"))
          },
          { requiredKeys: ["index", "message"] }
        ),
        { maxLength: 3 }
      )
    }),
    fc.record({ usage: maybe(usage) }, { requiredKeys: [] }),
    more
  )
  .map(([known, counted, rest]) => ({ ...known, ...counted, ...rest }))

const piece = fc
  .tuple(
    fc.record({
      id: text,
      object: fc.constant("chat.completion.chunk"),
      created: fc.nat(),
      model: text,
      choices: fc.array(
        fc.record(
          {
            index: fc.nat(3),
            delta: fc.record(
              { role: fc.constant("assistant"), content: maybe(text), tool_calls: fc.array(call, { maxLength: 2 }) },
              { requiredKeys: [] }
            ),
            finish_reason: maybe(fc.constantFrom("stop", "length"))
          },
          { requiredKeys: ["index", "delta"] }
        ),
        { maxLength: 2 }
      )
    }),
    fc.record({ usage: maybe(usage) }, { requiredKeys: [] }),
    more
  )
  .map(([known, counted, rest]) => ({ ...known, ...counted, ...rest }))

const vector = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }).map(Math.fround), { maxLength: 8 })

const ofBase64 = (numbers: ReadonlyArray<number>): string =>
  Buffer.from(Float32Array.from(numbers).buffer).toString("base64")

const embeddings = fc.tuple(fc.array(vector, { maxLength: 3 }), fc.boolean()).map(([vectors, isText]) => ({
  object: "list",
  model: "m",
  data: vectors.map((numbers, index) => ({
    object: "embedding",
    index,
    embedding: isText ? ofBase64(numbers) : numbers
  })),
  usage: { prompt_tokens: 1, total_tokens: 1 }
}))

const run = <A>(effect: Effect.Effect<A, unknown, ClientMap>): Promise<A> => runtime.runPromise(effect)

const same = async (
  { direct, name, sdk, withoutEffect }: Doors,
  answer: Answer,
  ask: (door: Door, config: ClientConfig) => Effect.Effect<unknown, unknown, ClientMap>
): Promise<unknown> => {
  server.answer = answer
  const config = configs.get(name)!
  const first = await run(ask(sdk, config))
  for (const door of [direct, withoutEffect]) {
    const value = await run(ask(door, config))
    assert.deepStrictEqual(value, first)
    if (typeof first === "object" && first !== null) {
      assert.strictEqual(Reflect.get(value as object, "_request_id"), Reflect.get(first, "_request_id"))
    }
  }
  return first
}

/** The bytes, cut at these places. */
const cut = (text: string, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const bytes = Buffer.from(text)
  const all = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b
  )
  return all.slice(1).map((end, i) => bytes.subarray(all[i], end))
}

/** Spellings of an event that all readers take for the same. */
const spelt = (value: unknown, spelling: number, lineEnd: string): string => {
  const data = JSON.stringify(value)
  const lines = [
    [`data: ${data}`],
    [`data:${data}`],
    [": a comment", `data: ${data}`],
    ["id: 7", `data: ${data}`, "retry: 10"],
    // JSON may be spread over lines between its tokens.
    ["data: {", `data: ${data.slice(1, -1)}`, "data: }"]
  ][spelling]!
  return lines.map((line) => line + lineEnd).join("") + lineEnd
}

const stream = fc.record({
  pieces: fc.array(fc.tuple(piece, fc.nat(4)), { maxLength: 6 }),
  lineEnd: fc.constantFrom("\n", "\n", "\r\n", "\r"),
  places: fc.array(fc.nat(4_000), { maxLength: 6 })
})

const RUNS = draws(60)

describe.each(providers)("an answer of $name, without an SDK between as with it,", (provider) => {
  it("is the same completion", () =>
    fc.assert(
      fc.asyncProperty(completion, async (answer) => {
        await same(provider, json(answer), (door, config) => door.chat(config, body()))
      }),
      { numRuns: RUNS }
    ))

  it("is the same chunks of a stream, however its events are spelt and cut", () =>
    fc.assert(
      fc.asyncProperty(stream, async ({ lineEnd, pieces, places }) => {
        const text = [
          ...pieces.map(([one, spelling]) => spelt(one, spelling, lineEnd)),
          `data: [DONE]${lineEnd}${lineEnd}`
        ]
        const chunks = await same(provider, events(cut(text.join(""), places)), (door, config) =>
          Effect.map(Stream.runCollect(door.chatStream(config, body())), Chunk.toReadonlyArray)
        )
        assert.lengthOf(chunks as ReadonlyArray<unknown>, pieces.length)
      }),
      { numRuns: RUNS }
    ))

  it.skipIf(provider.direct.embeddings === undefined)("is the same embeddings, in numbers or in base64", () =>
    fc.assert(
      fc.asyncProperty(embeddings, fc.constantFrom(undefined, "float", "base64"), async (answer, encoding_format) => {
        const input = { model: "m", input: ["a"], ...(encoding_format !== undefined && { encoding_format }) }
        await same(provider, json(answer), (door, config) => door.embeddings!(config, input))
      }),
      { numRuns: RUNS }
    )
  )

  it.each<readonly [name: string, answer: Answer]>([
    ["JSON", json({ data: [1, "é"] })],
    ["an array", json([1, 2])],
    ["null", json(null)],
    [
      "JSON of another type",
      { headers: { "content-type": "application/problem+json; charset=utf-8" }, pieces: ["{}"] }
    ],
    ["text", { headers: { "content-type": "text/plain" }, pieces: ["some ", "words"] }],
    ["no content", { status: 204, pieces: [] }]
  ])("is the same value of any path: %s", async (_, answer) => {
    await same(provider, answer, (door, config) => door.request(config, { method: "GET", path: "/some/thing" }))
  })
})
