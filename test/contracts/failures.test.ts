import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { ClientError, RequestReason } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { openai6 } from "../support/openai6.ts"
import { nobody, ask, question, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true } }
] as const

/** The fields of a RequestError by which a caller decides; the tag of another error. */
const facts = (error: ClientError) =>
  error._tag === "RequestError"
    ? { reason: error.reason, status: error.status, processed: error.processed, attempts: error.attempts }
    : error._tag

const statuses: ReadonlyArray<readonly [number, RequestReason]> = [
  [400, "BadRequest"],
  [401, "Authentication"],
  [403, "Permission"],
  [404, "NotFound"],
  [408, "Server"],
  [409, "Server"],
  [422, "BadRequest"],
  [429, "RateLimited"],
  [500, "Server"],
  [503, "Server"]
]

const insufficient = {
  message: "You exceeded your current quota",
  type: "insufficient_quota",
  param: null,
  code: "insufficient_quota"
}

const all = [...subjects, openai6]

for (const subject of all) {
  describe(`the error of a failure of ${subject.name}`, () => {
    for (const [status, reason] of statuses) {
      it.live(`status ${status} is ${reason}`, () =>
        Effect.gen(function* () {
          const headers = { "retry-after": "7", "x-request-id": "req-7" }
          const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "status", status, headers } }] })
          const config = yield* subject.config(sandbox, { maxRetries: 0 })
          const error = yield* Effect.flip(subject.ask(config))
          assert.deepStrictEqual(facts(error), { reason, status, processed: "yes", attempts: 1 })
          if (error._tag !== "RequestError") return
          assert.strictEqual(error.requestId, "req-7")
          assert.strictEqual(Duration.toMillis(error.retryAfter!), 7_000)
          assert.strictEqual(error.provider, subject.name)
          assert.strictEqual(error.baseURL, config.baseURL)
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )
    }

    it.live("a quota that is used up is QuotaExceeded, at once", () =>
      Effect.gen(function* () {
        const body = JSON.stringify(subject.name === "cerebras" ? insufficient : { error: insufficient })
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "status", status: 429, body } }] })
        const config = yield* subject.config(sandbox, { maxRetries: 3 })
        const error = yield* Effect.flip(subject.ask(config))
        assert.deepStrictEqual(facts(error), { reason: "QuotaExceeded", status: 429, processed: "yes", attempts: 1 })
        assert.strictEqual(sandbox.stats().requests, 1)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("a refused connection is Connection, certainly not processed", () =>
      Effect.gen(function* () {
        const config = yield* subject.config(nobody, { maxRetries: 0 })
        const error = yield* Effect.flip(subject.ask(config))
        assert.deepStrictEqual(facts(error), { reason: "Connection", status: undefined, processed: "no", attempts: 1 })
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("headers that do not come in time are Timeout, with the attempts that were made", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
        const config = yield* subject.config(sandbox, { maxRetries: 1, timeout: 50 })
        const error = yield* Effect.flip(subject.ask(config))
        assert.deepStrictEqual(facts(error), { reason: "Timeout", status: undefined, processed: "maybe", attempts: 2 })
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("a caller's own signal is Aborted", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5_000 })
        const config = yield* subject.config(sandbox)
        const controller = new AbortController()
        const agent = yield* Effect.fork(
          Effect.flip(
            subject.use(config, (client) =>
              client.chat.completions.create(question("hi"), { signal: controller.signal })
            )
          )
        )
        yield* eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 1
        )
        controller.abort()
        const error = yield* Fiber.join(agent)
        assert.strictEqual(error._tag === "RequestError" && error.reason, "Aborted")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("invalid JSON is Malformed, be it a whole answer or an event", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox)
        const ok = (type: string, body: string) =>
          sandbox.faults.replace([{ fault: { type: "status", status: 200, headers: { "content-type": type }, body } }])
        for (const body of ["garbage", '{"choices": [', `{"choices": ["${"x".repeat(100_000)}`]) {
          ok("application/json", body)
          const error = yield* Effect.flip(subject.ask(config))
          assert.deepStrictEqual(facts(error), {
            reason: "Malformed",
            status: undefined,
            processed: "yes",
            attempts: 1
          })
        }
        ok("text/event-stream", 'data: {"choices": [\n\ndata: [DONE]\n\n')
        const error = yield* Effect.flip(Stream.runDrain(subject.stream(config)))
        assert.strictEqual(error._tag === "RequestError" && error.reason, "Malformed")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("an error event of a stream is the provider's", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox)
        for (const [code, reason] of [
          ["overloaded", "Server"],
          ["insufficient_quota", "QuotaExceeded"]
        ] as const) {
          const body = `data: ${JSON.stringify({ error: { message: "no more", code } })}\n\n`
          const headers = { "content-type": "text/event-stream" }
          sandbox.faults.replace([{ fault: { type: "status", status: 200, headers, body } }])
          const error = yield* Effect.flip(Stream.runDrain(subject.stream(config)))
          assert.deepStrictEqual(facts(error), { reason, status: undefined, processed: "yes", attempts: 1 })
        }
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("an error of a callback is CallbackError, that of its own JSON.parse too", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox)
        const mine = new Error("mine")
        const throwing = [
          () => Promise.reject(mine),
          (): Promise<never> => {
            throw mine
          },
          async (client: Parameters<typeof ask>[0]) => {
            await ask(client)
            throw mine
          }
        ]
        for (const callback of throwing) {
          const error = yield* Effect.flip(subject.use(config, callback))
          assert.strictEqual(error._tag, "CallbackError")
          assert.strictEqual(error.cause, mine)
        }
        const parsing = yield* Effect.flip(
          subject.use(config, async (client) => JSON.parse(`no JSON: ${await ask(client)}`) as unknown)
        )
        const reading = yield* Effect.flip(
          subject.use(config, async (client) => {
            for await (const _ of await client.chat.completions.create({ ...question("hi"), stream: true })) {
              JSON.parse("no JSON")
            }
          })
        )
        for (const error of [parsing, reading]) {
          assert.strictEqual(error._tag, "CallbackError")
          assert.instanceOf(error.cause, SyntaxError)
        }
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    for (const road of roads) {
      it.live(`over ${road.name} a reset before the headers is Connection, perhaps processed`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ ...road.sandbox, faults: [{ fault: { type: "resetBeforeHeaders" } }] })
          const config = yield* subject.config(sandbox, { maxRetries: 0 })
          const error = yield* Effect.flip(subject.ask(config))
          assert.deepStrictEqual(facts(error), {
            reason: "Connection",
            status: undefined,
            processed: "maybe",
            attempts: 1
          })
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live(`over ${road.name} bytes that are not HTTP are an error`, () =>
        Effect.gen(function* () {
          const faults: ReadonlyArray<Sandbox.FaultRule> = [{ fault: { type: "garbage", what: "protocol" } }]
          const sandbox = yield* Sandbox.make({ ...road.sandbox, faults })
          const config = yield* subject.config(sandbox, { maxRetries: 0 })
          const error = yield* Effect.flip(subject.ask(config))
          assert.strictEqual(
            error._tag === "RequestError" && error.reason,
            road.name === "HTTP/1.1" ? "Malformed" : "Connection"
          )
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )

      it.live(`over ${road.name} an answer that is cut is an error, never an end`, () =>
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make(road.sandbox)
          const config = yield* subject.config(sandbox, { maxRetries: 0 })
          for (const fault of [
            { type: "resetMidBody" },
            { type: "resetMidBody", afterChunks: 2, code: 0 },
            { type: "resetMidBody", afterBytes: 0, code: 8 }
          ] as const) {
            sandbox.faults.replace([{ fault }])
            const streamed = yield* Effect.flip(Stream.runDrain(subject.stream(config)))
            assert.strictEqual(streamed._tag === "RequestError" && streamed.reason, "Connection")
            if ("afterChunks" in fault) continue
            const whole = yield* Effect.flip(subject.ask(config))
            assert.strictEqual(whole._tag === "RequestError" && whole.reason, "Connection")
          }
          sandbox.faults.replace([{ fault: { type: "truncate" } }])
          const short = yield* Effect.flip(subject.ask(config))
          assert.strictEqual(short._tag === "RequestError" && short.reason, "Connection")
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )
    }
  })
}

const options = (sandbox: Sandbox.Sandbox) => ({
  apiKey: Redacted.make("sk-mine"),
  baseURL: sandbox.baseURL("openai"),
  maxRetries: 2
})

describe("refused requests", () => {
  it.live("a request to another origin is refused: the key is not for it", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const other = yield* Sandbox.make()
      const error = yield* Effect.flip(
        OpenAiClient.use(options(sandbox), (client) => client.get(`${other.origin}/v1/models`))
      )
      assert.deepStrictEqual(facts(error), {
        reason: "BadRequest",
        status: undefined,
        processed: "no",
        attempts: 0
      })
      assert.include(error.message, other.origin)
      assert.strictEqual(other.stats().connections.total, 0)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("a header that can't be sent is refused by name, without its value", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      for (const value of ["sekret\nvalue", "sekret\u2713"]) {
        const error = yield* Effect.flip(
          OpenAiClient.use(options(sandbox), async (client) => {
            const headers = [["x-odd", value]]
            return client.models.list({ headers: { "x-fine": "1" }, fetchOptions: { headers } as object })
          })
        )
        assert.strictEqual(error._tag === "RequestError" && error.reason, "BadRequest", error.message)
        assert.strictEqual(error._tag === "RequestError" && error.processed, "no")
        assert.include(error.message, "x-odd")
        assert.notInclude(error.message, "sekret")
      }
      assert.strictEqual(sandbox.stats().requests, 0)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
