import { describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { CommonOptions } from "../src/ClientConfig.ts"
import type { ClientError } from "../src/ClientError.ts"
import * as ClientLayer from "../src/ClientLayer.ts"
import type { ClientMap } from "../src/ClientMap.ts"
import * as Failover from "../src/Failover.ts"
import * as GroqClient from "../src/GroqClient.ts"
import * as OpenAiClient from "../src/OpenAiClient.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"
import { ask, subject } from "./support/providers.ts"
import { warnings } from "./support/warnings.ts"

const groq = subject("groq", GroqClient, (sandbox) => [["GROQ_BASE_URL", sandbox.baseURL("groq")]])
const openai = subject("openai", OpenAiClient, (sandbox) => [["OPENAI_BASE_URL", sandbox.baseURL("openai")]])

/** The service that the agents of these tests use, provided by either model. */
interface Answers {
  readonly from: string
  readonly ask: Effect.Effect<string, ClientError, ClientMap>
  readonly stream: Stream.Stream<string, ClientError, ClientMap>
}
class Chat extends Context.Tag("test/Chat")<Chat, Answers>() {}

const chat = (of: typeof groq | typeof openai, sandbox: Sandbox.Sandbox, options: CommonOptions = {}) =>
  Layer.effect(
    Chat,
    Effect.map(of.config(sandbox, { maxRetries: 0, ...options }), (config) => ({
      from: of.name,
      ask: of.ask(config),
      stream: of.stream(config)
    }))
  )

const agent = Effect.flatMap(Chat, ({ ask, from }) => Effect.map(ask, (answer) => ({ from, said: answer !== "" })))
const streaming = Stream.unwrap(
  Effect.map(Chat, ({ from, stream }) => Stream.map(stream, (piece) => [from, piece] as const))
)

const annotations = (reason: string) => ({ provider: "groq", next: "openai", reason })

/** Two providers of which agents ask groq first. */
const two = (options: CommonOptions = {}) =>
  Effect.gen(function* () {
    const [first, second] = [yield* Sandbox.make({ tokens: 4 }), yield* Sandbox.make({ tokens: 4 })]
    const plan = Failover.plan(
      { name: "groq", provide: chat(groq, first, options) },
      { name: "openai", provide: chat(openai, second, options) }
    )
    return { first, second, plan, requests: () => [first.stats().requests, second.stats().requests] }
  })

const status = (code: number, headers: Record<string, string> = {}) => ({
  fault: { type: "status" as const, status: code, headers }
})

describe("agents on a plan", () => {
  for (const [code, reason] of [
    [503, "Server"],
    [429, "RateLimited"],
    [401, "Authentication"],
    [403, "Permission"],
    [408, "Server"]
  ] as const) {
    it.live(`go to the next provider at a ${code}, and log the reason`, () => {
      const { layer, lines } = warnings()
      return Effect.gen(function* () {
        const { first, plan, requests } = yield* two()
        first.faults.push(status(code))
        assert.deepStrictEqual(yield* Effect.withExecutionPlan(agent, plan), { from: "openai", said: true })
        assert.deepStrictEqual(requests(), [1, 1])
        assert.deepStrictEqual(
          lines.map((line) => line.annotations),
          [annotations(reason)]
        )
        assert.match(
          lines[0]!.message,
          new RegExp(`^groq failed, trying openai: groq \\(${first.origin}\\): ${reason} ${code}: `)
        )
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
    })
  }

  it.live("go to the next provider when the first can't be reached", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { first, plan, requests } = yield* two()
      yield* Effect.promise(() => first.close())
      assert.deepStrictEqual(yield* Effect.withExecutionPlan(agent, plan), { from: "openai", said: true })
      assert.deepStrictEqual(requests(), [0, 1])
      assert.deepStrictEqual(
        lines.map((line) => line.annotations).filter((one) => Object.hasOwn(Object(one), "next")),
        [annotations("Connection")]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
  })

  it.live("go to the next provider at once, once the first's circuit is open", () =>
    Effect.gen(function* () {
      const { first, plan, requests } = yield* two({ maxRetryAfter: 0, transport: { circuitFailures: 5 } })
      first.faults.push(status(503))
      for (let i = 1; i <= 60; i++) {
        assert.deepStrictEqual(yield* Effect.withExecutionPlan(agent, plan), { from: "openai", said: true })
        yield* Effect.sleep(20)
      }
      const [asked, next] = requests()
      assert.strictEqual(next, 60)
      assert.isAtMost(asked!, 35)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(warnings().layer), Effect.scoped)
  )

  it.live("stay where they are when all is well", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { plan, requests } = yield* two()
      assert.deepStrictEqual(yield* Effect.withExecutionPlan(agent, plan), { from: "groq", said: true })
      assert.deepStrictEqual([requests(), lines], [[1, 0], []])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
  })

  for (const [code, reason] of [
    [400, "BadRequest"],
    [404, "NotFound"],
    [422, "BadRequest"]
  ] as const) {
    it.live(`fail with a ${code} at once: no other provider is tried`, () => {
      const { layer, lines } = warnings()
      return Effect.gen(function* () {
        const { first, plan, requests } = yield* two()
        first.faults.push(status(code))
        const error = yield* Effect.flip(Effect.withExecutionPlan(agent, plan))
        assert.strictEqual(error._tag === "RequestError" && error.reason, reason)
        assert.deepStrictEqual([requests(), lines], [[1, 0], []])
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
    })
  }

  it.live("fail as the last provider did, when all fail", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { first, plan, requests, second } = yield* two()
      first.faults.push(status(503))
      second.faults.push(status(401))
      const error = yield* Effect.flip(Effect.withExecutionPlan(agent, plan))
      assert.deepInclude(error, { _tag: "RequestError", provider: "openai", reason: "Authentication", status: 401 })
      assert.deepStrictEqual([requests(), lines.length], [[1, 1], 1])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
  })

  it.live("all finish, fifty of them, while the first provider is down", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { first, plan, requests } = yield* two()
      first.faults.push(status(503))
      const done = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.withExecutionPlan(agent, plan), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        done,
        Array.from({ length: 50 }, () => ({ from: "openai", said: true }))
      )
      assert.deepStrictEqual(requests(), [50, 50])
      assert.deepStrictEqual(
        lines.map((line) => line.annotations).filter((one) => Object.hasOwn(Object(one), "next")),
        [annotations("Server")]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
  })

  it.live("skip a provider whose Retry-After holds, if they never wait", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { first, plan, requests } = yield* two({ maxRetryAfter: 0 })
      first.faults.push(status(429, { "retry-after": "30" }))
      const began = performance.now()
      for (let i = 0; i < 20; i++) {
        assert.deepStrictEqual(yield* Effect.withExecutionPlan(agent, plan), { from: "openai", said: true })
      }
      const [asked, next] = requests()
      assert.strictEqual(next, 20)
      // A probe may go after 250 ms.
      assert.isAtMost(asked!, 1 + (performance.now() - began) / 250)
      assert.deepStrictEqual(
        lines.map((line) => line.annotations),
        [annotations("RateLimited")]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
  })
})

/** A stream that breaks after it has begun, by a timeout: a reset might overtake what was sent before it. */
const stalled = { fault: { type: "stall", at: "body", afterChunks: 3 } } as const
const impatient = { bodyTimeout: 300 }

const pieces = (chunk: Chunk.Chunk<readonly [string, string]>) => Chunk.toReadonlyArray(chunk).map(([from]) => from)

describe("streams on a plan", () => {
  const safely = { preventFallbackOnPartialStream: true }

  it.live("go to the next provider as long as nothing has been emitted", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function* () {
      const { first, plan, requests } = yield* two()
      first.faults.push(status(503))
      const got = yield* Stream.runCollect(Stream.withExecutionPlan(streaming, plan, safely))
      assert.deepStrictEqual(pieces(got), ["openai", "openai", "openai", "openai"])
      assert.deepStrictEqual([requests(), lines.map((line) => line.annotations)], [[1, 1], [annotations("Server")]])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(layer), Effect.scoped)
  })

  for (const [options, more] of [
    [safely, []],
    [undefined, ["openai", "openai", "openai", "openai"]]
  ] as const) {
    it.live(
      `that break are ${options === undefined ? "restarted elsewhere if nothing was emitted" : "not restarted"}`,
      () =>
        Effect.gen(function* () {
          const { first, plan, requests } = yield* two(impatient)
          first.faults.push(stalled)
          const got: Array<string> = []
          const exit = yield* Effect.exit(
            Stream.runForEach(Stream.withExecutionPlan(streaming, plan, options), ([from]) =>
              Effect.sync(() => void got.push(from))
            )
          )
          const groqs = got.filter((from) => from === "groq")
          assert.isAbove(groqs.length, 0)
          assert.deepStrictEqual(got, [...groqs, ...more])
          assert.strictEqual(Exit.isSuccess(exit), options === undefined)
          assert.deepStrictEqual(requests(), options === undefined ? [1, 1] : [1, 0])
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(Logger.remove(Logger.defaultLogger)), Effect.scoped)
    )
  }

  it.live("that break at the last provider fail once, and are not repeated for ever", () =>
    Effect.gen(function* () {
      const { first, plan, requests, second } = yield* two(impatient)
      first.faults.push(status(503))
      second.faults.push(stalled)
      const got: Array<string> = []
      const error = yield* Stream.withExecutionPlan(streaming, plan, safely).pipe(
        Stream.take(100),
        Stream.runForEach(([from]) => Effect.sync(() => void got.push(from))),
        Effect.flip
      )
      assert.deepInclude(error, { _tag: "RequestError", provider: "openai", reason: "Timeout" })
      assert.deepStrictEqual([requests(), new Set(got)], [[1, 1], new Set(["openai"])])
      assert.isBelow(got.length, 4)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.provide(Logger.remove(Logger.defaultLogger)), Effect.scoped)
  )
})

describe("without a plan", () => {
  it.live("one SDK's call follows another's, and a bad request still ends it", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* Sandbox.make(), yield* Sandbox.make()]
      const configs = { groq: yield* groq.config(first, { maxRetries: 0 }), openai: yield* openai.config(second) }
      const answer = GroqClient.use(configs.groq, (client) => ask(client)).pipe(
        Effect.catchIf(Failover.shouldFailOver, () => OpenAiClient.use(configs.openai, (client) => ask(client)))
      )
      first.faults.push({ ...status(503), times: 1 }, { ...status(400), times: 1 })
      assert.notStrictEqual(yield* answer, "")
      assert.deepInclude(yield* Effect.flip(answer), { provider: "groq", reason: "BadRequest" })
      assert.deepStrictEqual([first.stats().requests, second.stats().requests], [2, 1])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
