import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, question } from "../support/providers.ts"

/** No request reaches it. */
const options = { apiKey: Redacted.make("sk-test"), baseURL: "http://127.0.0.1:9/v1" }

const cyclic = (): Error => {
  const error = new Error("cyclic")
  error.cause = error
  return error
}

const trapped = (field: string): Error =>
  Object.defineProperty(new Error("trapped"), field, {
    get: () => {
      throw new Error("a getter that throws")
    }
  })

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const oddities: ReadonlyArray<readonly [name: string, make: () => unknown]> = [
  ["a cyclic error", cyclic],
  ["an error whose cause can't be read", () => trapped("cause")],
  ["an error whose message can't be read", () => trapped("message")],
  ["a revoked proxy", revoked],
  ["an object without a prototype", () => Object.create(null)],
  ["undefined", () => undefined],
  ["a symbol", () => Symbol("s")],
  ["an AggregateError", () => new AggregateError([new Error("one")], "many")]
]

const noIterables: ReadonlyArray<readonly [name: string, value: unknown]> = [
  ["undefined", undefined],
  ["a whole answer", { choices: [] }],
  [
    "an iterable that can't be iterated",
    {
      [Symbol.asyncIterator]: () => {
        throw new Error("consumed")
      }
    }
  ]
]

/** Its `return` never comes back. */
const hanging: AsyncIterable<number> = {
  [Symbol.asyncIterator]: () => ({
    next: () => Promise.resolve({ done: false, value: 1 }),
    return: () => new Promise(() => undefined)
  })
}

describe("an error of a callback", () => {
  for (const [name, make] of oddities) {
    it.live(`${name} is a CallbackError with a message`, () =>
      Effect.gen(function* () {
        const thrown = make()
        const error = yield* Effect.flip(OpenAiClient.use(options, () => Promise.reject(thrown)))
        assert.strictEqual(error._tag, "CallbackError")
        assert.strictEqual(error.cause, thrown)
        assert.match(error.message, /^openai: the callback failed: /)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  }
})

describe("a stream of a callback", () => {
  for (const [name, value] of noIterables) {
    it.live(`${name} is a failure and no defect`, () =>
      Effect.gen(function* () {
        const stream = OpenAiClient.stream(options, () => Promise.resolve(value as AsyncIterable<never>))
        const exit = yield* Effect.exit(Stream.runDrain(stream))
        const error = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : Option.none()
        assert.strictEqual(Option.getOrUndefined(error)?._tag, "CallbackError")
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  }

  it.effect("an iterator that never cleans up is not waited for, whatever the clock", () =>
    Effect.gen(function* () {
      const stream = OpenAiClient.stream(options, () => Promise.resolve(hanging))
      const some = yield* Stream.runCollect(Stream.take(stream, 2))
      assert.deepStrictEqual(Chunk.toReadonlyArray(some), [1, 1])
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

describe("under a test's clock, which stands still", () => {
  it.effect("requests, streams and interruption need no help", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ tokens: 5 })
      const given = { ...options, baseURL: sandbox.baseURL("openai") }
      assert.notStrictEqual(yield* OpenAiClient.use(given, (client) => ask(client)), "")
      const stream = OpenAiClient.stream(given, (client) =>
        client.chat.completions.create({ ...question("hello"), stream: true })
      )
      assert.isAbove(yield* Stream.runCount(stream), 4)
      assert.strictEqual(yield* Stream.runCount(Stream.take(stream, 2)), 2)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
