import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { toFile } from "openai"
import { assert } from "vitest"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as RetryAfter from "../../src/internal/wire/retryAfter.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { openai6 } from "../support/openai6.ts"
import { question, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const status = (code: number, headers: Readonly<Record<string, string>> = {}, times = 1): Sandbox.FaultRule => ({
  times,
  fault: { type: "status", status: code, headers }
})

const facts = (error: ClientError) =>
  error._tag === "RequestError" ? [error.reason, error.status, error.attempts] : [error._tag]

const parse = (headers: Record<string, string>) => RetryAfter.parse(new Headers(headers))

describe.concurrent("the Retry-After of a response", () => {
  it("is read from retry-after-ms, from seconds, or from a date against the answer's own", () => {
    assert.strictEqual(parse({ "retry-after-ms": "300" }), 300)
    assert.strictEqual(parse({ "retry-after-ms": "300", "retry-after": "9" }), 300)
    assert.strictEqual(parse({ "retry-after": "1.5" }), 1_500)
    assert.strictEqual(parse({ "retry-after": "0" }), 0)
    assert.strictEqual(parse({ "retry-after": "4000000" }), 4_000_000_000)
    const date = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert.strictEqual(parse({ "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", date }), 30_000)
    assert.strictEqual(parse({ "retry-after": "Wed, 21 Oct 2015 07:27:00 GMT", date }), 0, "in the past")
    const soon = parse({ "retry-after": new Date(Date.now() + 60_000).toUTCString() })
    assert.isTrue(soon !== undefined && soon > 30_000 && soon <= 60_000)
  })

  it("is undefined where it can't be parsed", () => {
    for (const odd of ["-5", "NaN", "Infinity", "", "soon", "1e3", "5 seconds", "2015"]) {
      const got = parse({ "retry-after": odd, "retry-after-ms": odd === "2015" ? "x" : odd })
      if (odd === "2015") assert.strictEqual(got, 2_015_000)
      else assert.isUndefined(got, odd)
    }
    assert.isUndefined(parse({}))
  })

  it("is never negative or not a number, whatever the header", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~]*$/), fc.stringMatching(/^[ -~]*$/), (value, date) => {
        const got = parse({ "retry-after": value, date })
        return got === undefined || got >= 0
      })
    )
  })
})

for (const subject of [...subjects, openai6]) {
  describe.concurrent(`retries of ${subject.name}`, () => {
    it.live("500, then 200: succeeds with two requests", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(500)] })
        const config = yield* subject.config(sandbox)
        assert.notStrictEqual(yield* subject.ask(config), "")
        assert.strictEqual(sandbox.stats().requests, 2)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("maxRetries bounds them, and none is none", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(500, {}, 100)] })
        for (const maxRetries of [0, 1]) {
          sandbox.resetStats()
          const config = yield* subject.config(sandbox, { maxRetries })
          const error = yield* Effect.flip(subject.ask(config))
          assert.deepStrictEqual(facts(error), ["Server", 500, maxRetries + 1])
          assert.strictEqual(sandbox.stats().requests, maxRetries + 1)
        }
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("a request's own maxRetries counts, and does not make the SDK retry on top of ours", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(500, {}, 100)] })
        const config = yield* subject.config(sandbox, { maxRetries: 0 })
        const options: object = { maxRetries: 2 }
        yield* Effect.flip(subject.use(config, (client) => client.chat.completions.create(question("hi"), options)))
        // The SDK of a user's own provider does not pass on a request's options.
        assert.strictEqual(sandbox.stats().requests, subject === openai6 ? 1 : 3)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("a reset before the headers is sent again", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ times: 1, fault: { type: "resetBeforeHeaders" } }] })
        const config = yield* subject.config(sandbox)
        yield* subject.ask(config)
        assert.strictEqual(sandbox.stats().requests, 2)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("a longer Retry-After than a minute fails at once, with its length", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(429, { "retry-after": "90" }, 100)] })
        const config = yield* subject.config(sandbox, { maxRetries: 5 })
        const error = yield* Effect.flip(subject.ask(config))
        assert.deepStrictEqual(facts(error), ["RateLimited", 429, 1])
        assert.strictEqual(error._tag === "RequestError" && Duration.toSeconds(error.retryAfter!), 90)
        assert.strictEqual(sandbox.stats().requests, 1)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("interruption during the wait settles at once, and nothing more is sent", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(429, { "retry-after": "50" }, 100)] })
        const config = yield* subject.config(sandbox, { maxRetries: 5 })
        const agent = yield* Effect.fork(subject.ask(config))
        yield* eventually(
          Effect.sync(() => sandbox.stats().log.length),
          (ended) => ended === 1
        )
        yield* Effect.sleep(20)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(agent)))
        yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.inFlight === 0 && clients[0]!.leases === 0)
        assert.strictEqual(sandbox.stats().requests, 1)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

const once = () => {
  let pulls = 0
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (pulls++ === 0) controller.enqueue(Buffer.from(JSON.stringify(question("hi"))))
      else controller.close()
    }
  })
}

describe.concurrent("retries", () => {
  it.live("wait as long as Retry-After", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [status(429, { "retry-after": "0.6" })] })
      // Longer than the first backoff may be.
      const started = performance.now()
      yield* OpenAiClient.use(options(sandbox), (client) => client.models.list())
      assert.isAtLeast(performance.now() - started, 599)
      const [first, second] = sandbox.stats().log
      assert.isAtLeast(second!.at - first!.at, 599)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("end, whatever the server's Retry-After", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      for (const odd of ["-5", "NaN", "4000000", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"]) {
        sandbox.resetStats()
        sandbox.faults.replace([status(429, { "retry-after": odd }, 100)])
        const error = yield* Effect.flip(
          OpenAiClient.use({ ...options(sandbox), maxRetries: 1 }, (client) => client.models.list())
        )
        assert.strictEqual(error._tag === "RequestError" && error.reason, "RateLimited", odd)
        assert.isAtMost(sandbox.stats().requests, 2, odd)
      }
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("measure a date by the server's clock", () =>
    Effect.gen(function* () {
      const date = "Wed, 21 Oct 2015 07:28:00 GMT"
      const sandbox = yield* Sandbox.make({
        faults: [status(429, { date, "retry-after": "Wed, 21 Oct 2015 07:29:30 GMT" })]
      })
      const error = yield* Effect.flip(OpenAiClient.use(options(sandbox), (client) => client.models.list()))
      assert.strictEqual(error._tag === "RequestError" && Duration.toSeconds(error.retryAfter!), 90)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("follow x-should-retry", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [status(400, { "x-should-retry": "true" })] })
      yield* OpenAiClient.use(options(sandbox), (client) => client.models.list())
      assert.strictEqual(sandbox.stats().requests, 2)
      sandbox.faults.replace([status(500, { "x-should-retry": "false" })])
      const error = yield* Effect.flip(OpenAiClient.use(options(sandbox), (client) => client.models.list()))
      assert.deepStrictEqual(facts(error), ["Server", 500, 1])
      assert.strictEqual(sandbox.stats().requests, 3)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("send no file twice after a 500, but again after a 429", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [status(500)] })
      const upload = OpenAiClient.use(options(sandbox), async (client) =>
        client.files.create({ file: await toFile(Buffer.from("{}\n"), "rows.jsonl"), purpose: "batch" })
      )
      const error = yield* Effect.flip(upload)
      assert.deepStrictEqual(facts(error), ["Server", 500, 1])
      assert.strictEqual(sandbox.stats().requests, 1)
      sandbox.faults.replace([status(429)])
      yield* upload
      assert.strictEqual(sandbox.stats().requests, 3)
      // The sandbox reads a file before it refuses it.
      assert.deepStrictEqual(
        sandbox.uploads.map(({ size }) => size),
        [3, 3, 3]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("can't send a stream of bytes again, whatever the status", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [status(429, {}, 100)] })
      const error = yield* Effect.flip(
        OpenAiClient.use(options(sandbox), (client) =>
          client.post("/chat/completions", { body: once(), headers: { "content-type": "application/json" } })
        )
      )
      assert.deepStrictEqual(facts(error), ["RateLimited", 429, 1])
      assert.strictEqual(sandbox.stats().requests, 1)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("hold neither socket nor permit while they wait", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ faults: [status(500, { "retry-after": "50" })] })
      const given = { ...options(sandbox), quota: { maxConcurrency: 1 }, transport: { maxConnections: 1 } }
      const ask = OpenAiClient.use(given, (client) => client.models.list())
      const waiting = yield* Effect.fork(ask)
      yield* eventually(
        Effect.sync(() => sandbox.stats().log.length),
        (ended) => ended === 1
      )
      yield* ask
      assert.strictEqual(sandbox.stats().requests, 2)
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

const options = (sandbox: Sandbox.Sandbox) => ({
  apiKey: Redacted.make("sk-retry"),
  baseURL: sandbox.baseURL("openai")
})
