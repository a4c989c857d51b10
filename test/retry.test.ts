import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { toFile } from "openai"
import { assert } from "vitest"
import type { ClientError } from "../src/ClientError.ts"
import * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientMap from "../src/ClientMap.ts"
import * as Retry from "../src/internal/retry.ts"
import * as RetryAfter from "../src/internal/retryAfter.ts"
import { WireError, type WireReason } from "../src/internal/wire.ts"
import * as OpenAiClient from "../src/OpenAiClient.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"
import { openai6 } from "./support/openai6.ts"
import { question, subjects } from "./support/providers.ts"
import { eventually } from "./support/wait.ts"

const status = (code: number, headers: Readonly<Record<string, string>> = {}, times = 1): Sandbox.FaultRule => ({
  times,
  fault: { type: "status", status: code, headers }
})

const facts = (error: ClientError) =>
  error._tag === "RequestError" ? [error.reason, error.status, error.attempts] : [error._tag]

const parse = (headers: Record<string, string>) => RetryAfter.parse(new Headers(headers))

describe("how long an answer asks to wait", () => {
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

  it("is nothing where it can't be read", () => {
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

const answer = (code: number, headers: Record<string, string> = {}) => ({
  status: code,
  headers: new Headers(headers)
})

const fail = (reason: WireReason, processed: "no" | "maybe" | "yes", repeatable: boolean) =>
  Retry.afterError(new WireError(reason, processed, ""), repeatable)

const again = (code: number, repeatable: boolean, headers: Record<string, string> = {}) =>
  Retry.afterResponse(answer(code, headers), 1, repeatable, 60_000) !== undefined

/** How many attempts follow the first. */
const count = (maxRetries: number, next: (retries: Retry.Retries) => unknown): number => {
  const retries = new Retry.Retries(maxRetries, 60_000)
  let made = 0
  while (next(retries) !== undefined) made++
  return made
}

describe("the retry policy", () => {
  it("knows by the status whether another attempt may help", () => {
    for (const code of [408, 409, 429, 500, 502, 503, 504, 529]) assert.isTrue(again(code, true), `${code}`)
    for (const code of [400, 401, 403, 404, 413, 422]) assert.isFalse(again(code, true), `${code}`)
    for (const code of [408, 409, 500, 503]) assert.isFalse(again(code, false), `${code}`)
    assert.isTrue(again(429, false), "turned away before any work")
  })

  it("lets the server overrule it", () => {
    assert.isFalse(again(500, true, { "x-should-retry": "false" }))
    assert.isTrue(again(400, true, { "x-should-retry": "true" }))
    assert.isFalse(again(500, false, { "x-should-retry": "true" }), "but not into doing a thing twice")
  })

  it("waits as long as asked at least, and not at all for more than maxRetryAfter", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 120 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 120 }),
        (seconds, attempt, most) => {
          const delay = Retry.afterResponse(answer(429, { "retry-after": `${seconds}` }), attempt, true, most * 1_000)
          if (seconds > most) return delay === undefined
          return delay?.asked === seconds * 1_000 && delay.backoff >= 0 && delay.backoff <= 8_000
        }
      )
    )
  })

  it("repeats as often as maxRetries says, and what never reached the provider five times besides", () => {
    const plenty = { request: () => undefined, take: () => true }
    const lost = new WireError("Connection", "maybe", "")
    const unsent = new WireError("Connection", "no", "")
    for (const maxRetries of [0, 1, 2, 7]) {
      assert.strictEqual(
        count(maxRetries, (retries) => retries.afterResponse(answer(500), true, plenty)),
        maxRetries
      )
      assert.strictEqual(
        count(maxRetries, (retries) => retries.afterError(lost, true, plenty)),
        maxRetries
      )
      const both = (retries: Retry.Retries) =>
        retries.afterError(unsent, false, plenty) ?? retries.afterError(lost, true, plenty)
      assert.strictEqual(count(maxRetries, both), maxRetries + 5)
    }
  })

  it("asks the budget of the credential for what a provider that is down would get, not for what never gets there or a rate limit", () => {
    const empty = { request: () => undefined, take: () => false }
    assert.isUndefined(new Retry.Retries(2, 60_000).afterResponse(answer(503), true, empty))
    assert.isUndefined(new Retry.Retries(2, 60_000).afterError(new WireError("Connection", "maybe", ""), true, empty))
    assert.isDefined(new Retry.Retries(2, 60_000).afterError(new WireError("Connection", "no", ""), true, empty))
    assert.isDefined(new Retry.Retries(2, 60_000).afterResponse(answer(429), true, empty))
  })

  it("sends nothing again, not even what was never sent, for those who never wait", () => {
    const plenty = { request: () => undefined, take: () => true }
    const retries = new Retry.Retries(2, 0)
    assert.isUndefined(retries.afterError(new WireError("Connection", "no", ""), true, plenty))
    assert.isDefined(retries.afterError(new WireError("Connection", "maybe", ""), true, plenty))
  })

  it("repeats after a failure what was certainly not worked on, or does no harm", () => {
    for (const reason of ["Connection", "FileDescriptors", "Timeout"] as const) {
      assert.isTrue(fail(reason, "no", false), reason)
      assert.isTrue(fail(reason, "maybe", true), reason)
      assert.isFalse(fail(reason, "maybe", false), reason)
      assert.isFalse(fail(reason, "yes", true), `${reason}: an answer had begun`)
    }
    for (const reason of ["Aborted", "Malformed", "Closed"] as const) assert.isFalse(fail(reason, "no", true), reason)
  })
})

for (const subject of [...subjects, openai6]) {
  describe(`retries of ${subject.name}`, () => {
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
        const sandbox = yield* Sandbox.make({ faults: [status(503, {}, 100)] })
        for (const maxRetries of [0, 1]) {
          sandbox.resetStats()
          const config = yield* subject.config(sandbox, { maxRetries })
          const error = yield* Effect.flip(subject.ask(config))
          assert.deepStrictEqual(facts(error), ["Server", 503, maxRetries + 1])
          assert.strictEqual(sandbox.stats().requests, maxRetries + 1)
        }
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("a request's own maxRetries counts, and does not make the SDK retry on top of ours", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(503, {}, 100)] })
        const config = yield* subject.config(sandbox, { maxRetries: 0 })
        const options: object = { maxRetries: 2 }
        yield* Effect.flip(subject.use(config, (client) => client.chat.completions.create(question("hi"), options)))
        // The SDK of a user's own provider does not tell what a request said.
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

    it.live("a longer Retry-After than a minute fails at once, and says how long", () =>
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

describe("retries", () => {
  it.live("wait as long as Retry-After says", () =>
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

  it.live("end, whatever odd wish the server has", () =>
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

  it.live("do what x-should-retry says", () =>
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
