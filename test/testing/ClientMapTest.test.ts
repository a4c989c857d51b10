/** The kit that tests of agents are written with. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as net from "node:net"
import * as CerebrasClient from "../../src/CerebrasClient.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as GroqClient from "../../src/GroqClient.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as OpenAiModel from "../../src/OpenAiModel.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { leakCheck, type LeakError } from "../../src/testing/leakCheck.ts"

const options = { apiKey: Redacted.make("sk-test") }
const messages = [{ role: "user" as const, content: "hello" }]

const ask = GroqClient.use(options, async (groq) => {
  const answer = await groq.chat.completions.create({ model: "m", messages })
  return answer.choices[0]?.message.content
})

describe("a client map for tests", () => {
  it.effect("answers the SDKs' own clients and models, streams too, without a socket", () =>
    Effect.gen(function* () {
      const openai = yield* OpenAiClient.use(options, (openai) =>
        openai.chat.completions.create({ model: "m", messages })
      )
      const streamed = yield* OpenAiClient.stream(options, (openai) =>
        openai.chat.completions.create({ model: "m", messages, stream: true })
      ).pipe(Stream.runFold("", (text, chunk) => text + (chunk.choices[0]?.delta.content ?? "")))
      assert.strictEqual(streamed, openai.choices[0]?.message.content)
      const cerebras = yield* CerebrasClient.use(options, (cerebras) =>
        cerebras.chat.completions.create({ model: "m", messages })
      )
      assert.isOk(cerebras)
      const model = yield* Effect.provide(
        LanguageModel.generateText({ prompt: "hello" }),
        OpenAiModel.model("m", { client: options })
      )
      assert.strictEqual(model.text, streamed)
      const { requests, stats } = yield* ClientMapTest.ClientMapTest
      assert.deepStrictEqual(
        requests.map(({ index, isStream, model, path, provider }) => [index, provider, path, model, isStream]),
        [
          [0, "openai", "/v1/chat/completions", "m", false],
          [1, "openai", "/v1/chat/completions", "m", true],
          [2, "cerebras", "/v1/chat/completions", "m", false],
          [3, "openai", "/v1/chat/completions", "m", false]
        ]
      )
      assert.strictEqual(stats().inFlight, 0)
    }).pipe(Effect.provide(ClientMapTest.layer()), leakCheck)
  )

  it.effect("responds as a script does, and else as the sandbox", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* ask, "4")
      assert.strictEqual(yield* ask, "again")
      assert.isNotEmpty(yield* ask)
      const { requests } = yield* ClientMapTest.ClientMapTest
      assert.deepStrictEqual(requests[0]?.body, { model: "m", messages })
    }).pipe(
      Effect.provide(
        ClientMapTest.layer({
          script: ({ index }) =>
            index === 0
              ? ClientMapTest.text("4")
              : index === 1
                ? Promise.resolve(ClientMapTest.text("again"))
                : undefined
        })
      )
    )
  )

  it.effect("retries by the test's clock, and failures have their usual reasons", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(ask)
      yield* TestClock.adjust("29 seconds")
      const { requests } = yield* ClientMapTest.ClientMapTest
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
      assert.strictEqual(requests.length, 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "4")
      const reset = yield* Effect.flip(
        GroqClient.use({ ...options, maxRetries: 0 }, (groq) => groq.chat.completions.create({ model: "m", messages }))
      )
      assert.deepInclude(reset, { _tag: "RequestError", reason: "Connection", processed: "maybe" })
    }).pipe(
      Effect.provide(
        ClientMapTest.layer({
          script: ({ index }) =>
            index === 0
              ? ClientMapTest.error(429, "slow down", { "retry-after": "30" })
              : index === 1
                ? ClientMapTest.text("4")
                : ClientMapTest.fails
        })
      )
    )
  )
})

const leaks = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(leakCheck(self, { within: 100 })), (error) => (error as LeakError).leaks)

describe("a leak check", () => {
  it.live("lets pass what leaves nothing, real sockets of a layer that ends included", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      yield* GroqClient.use({ ...options, baseURL: sandbox.baseURL("groq") }, (groq) => groq.models.list())
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()), (all) => leakCheck(all, { within: "5 seconds" }))
  )

  it.live("finds a lease that was kept, and names the client", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const [lease, ...more] = yield* leaks(Scope.extend(GroqClient.get(options), scope))
      assert.deepStrictEqual(more, [])
      assert.strictEqual(lease?.kind, "lease")
      assert.match(lease?.what ?? "", /groq \(https:\/\/api\.groq\.com/)
    }).pipe(Effect.provide(ClientMapTest.layer()))
  )

  it.live("finds a timer, and names where it was set", () =>
    Effect.gen(function* () {
      let timer: NodeJS.Timeout | undefined
      const setOnPurpose = () => {
        timer = setTimeout(() => undefined, 60_000)
      }
      const [found, ...more] = yield* leaks(Effect.sync(() => setOnPurpose()))
      clearTimeout(timer)
      assert.deepStrictEqual(more, [])
      assert.strictEqual(found?.kind, "timer")
      assert.include(found?.what, "setOnPurpose")
    })
  )

  it.live("finds a socket, and names where it was opened", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      let socket: net.Socket | undefined
      const openOnPurpose = () => {
        socket = net.connect(sandbox.port, "127.0.0.1")
      }
      const found = yield* leaks(Effect.sync(() => openOnPurpose()))
      socket?.destroy()
      assert.isTrue(
        found.some(({ kind, what }) => kind === "socket" && what.includes("openOnPurpose")),
        JSON.stringify(found)
      )
    }).pipe(Effect.scoped)
  )

  it.live("finds a server that listens, and names where it was made", () =>
    Effect.gen(function* () {
      const server = net.createServer()
      const listenOnPurpose = (done: () => void) => void server.listen(0, done)
      const [found, ...more] = yield* leaks(Effect.async<void>((resume) => listenOnPurpose(() => resume(Effect.void))))
      server.close()
      assert.deepStrictEqual(more, [])
      assert.strictEqual(found?.kind, "socket")
      assert.include(found?.what, "listenOnPurpose")
    })
  )

  it.live("finds all that is new, beside what a client map keeps and what was there before", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const at = { ...options, baseURL: sandbox.baseURL("groq") }
      const list = GroqClient.use(at, (groq) => groq.models.list())
      yield* list
      const scope = yield* Effect.scope
      const lease = Scope.extend(GroqClient.get(at), scope)
      yield* lease
      const before = setInterval(() => undefined, 60_000)
      yield* leakCheck(Effect.all([list, list], { concurrency: 2 }), { within: "5 seconds" })
      const ends: Array<() => void> = []
      const plant = Effect.gen(function* () {
        yield* list
        yield* lease
        const timer = setTimeout(() => undefined, 60_000)
        const socket = net.connect(sandbox.port, "127.0.0.1")
        const fiber = yield* Effect.forkDaemon(Effect.withSpan(Effect.never, "forgotten"))
        ends.push(
          () => clearTimeout(timer),
          () => void socket.destroy(),
          () => void Effect.runFork(Fiber.interrupt(fiber))
        )
      })
      const found = yield* leaks(plant)
      clearInterval(before)
      for (const end of ends) end()
      const counts = found.filter(({ kind }) => kind === "lease").map(({ what }) => what.slice(0, 2))
      assert.deepStrictEqual(counts, ["1 "])
      assert.deepStrictEqual([...new Set(found.map(({ kind }) => kind))].toSorted(), [
        "fiber",
        "lease",
        "socket",
        "timer"
      ])
      // Its two ends, for its server is here.
      assert.isAtMost(found.filter(({ kind }) => kind === "socket").length, 2)
    }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
  )

  it.live("finds a fiber, and names its span", () =>
    Effect.gen(function* () {
      let fiber: Fiber.Fiber<never> | undefined
      const fork = Effect.map(Effect.forkDaemon(Effect.withSpan(Effect.never, "forgotten")), (forked) => {
        fiber = forked
      })
      const found = yield* leaks(fork)
      if (fiber !== undefined) yield* Fiber.interrupt(fiber)
      assert.isTrue(
        found.some(({ kind, what }) => kind === "fiber" && what.includes("forgotten")),
        JSON.stringify(found)
      )
    })
  )
})
