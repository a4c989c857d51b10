import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Credential from "../../src/Credential.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const all = <R>(size: number, agent: (i: number) => Effect.Effect<unknown, ClientError, R>) =>
  Effect.map(
    Effect.forEach(
      Array.from({ length: size }, (_, i) => i),
      (i) => Effect.either(agent(i)),
      { concurrency: "unbounded" }
    ),
    (results) => results.flatMap((result) => (Either.isLeft(result) ? [result.left.message] : []))
  )

/** Number of requests that carried each key. */
const carried = (sandbox: Sandbox.Sandbox, ...keys: ReadonlyArray<string>): ReadonlyArray<number> =>
  keys.map((key) => sandbox.stats().log.filter((entry) => entry.key === Sandbox.fingerprint(key)).length)

for (const subject of subjects) {
  describe(`a key of ${subject.name} that changes`, () => {
    it.live("is the one that was good when a request was sent, for each of 100 at once", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5 })
        let loads = 0
        const credential = Credential.make({
          id: `rotating/${subject.name}`,
          // A vault that gives another token each time, good for a second. Those before stay known for a while, as they do.
          load: Effect.delay(
            Effect.sync(() => {
              loads++
              sandbox.apiKeys([0, 1, 2, 3].map((n) => `token-${loads - n}`))
              return { secret: Redacted.make(`token-${loads}`), expiresAt: new Date(Date.now() + 1_000) }
            }),
            2
          ),
          refreshBefore: 300
        })
        // So few sockets that most wait for one, while tokens come and go. A server accepts one connection a turn, and in
        // this process turns are long: with many, what was sent at first would be read when its token is forgotten.
        const config = yield* subject.config(sandbox, { apiKey: credential, transport: { maxConnections: 8 } })
        const failed = yield* all(100, (i) =>
          Effect.forEach(
            Array.from({ length: 5 }, (_, n) => n),
            (n) => Effect.zipRight(Effect.sleep((i * 7 + n * 31) % 830), subject.ask(config))
          )
        )
        assert.deepStrictEqual(failed, [])
        assert.isAbove(loads, 2)
        const { log } = sandbox.stats()
        assert.isTrue(log.every(({ keyKnown }) => keyKnown))
        assert.strictEqual(log.length, 500)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("is loaded anew, once for all, when the provider no longer takes it, and the requests are sent again", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 20 })
        let loads = 0
        const load = Effect.delay(
          Effect.sync(() => Redacted.make(`token-${++loads}`)),
          5
        )
        const credential = Credential.make({ id: `revoked/${subject.name}`, load })
        sandbox.apiKeys(["token-1"])
        const config = yield* subject.config(sandbox, { apiKey: credential, maxRetries: 0 })
        yield* subject.ask(config)
        sandbox.apiKeys(["token-2"])
        const failed = yield* all(100, () => subject.ask(config))
        assert.deepStrictEqual(failed, [])
        assert.strictEqual(loads, 2)
        assert.strictEqual(carried(sandbox, "token-2")[0], 100)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

describe("a key that changes", () => {
  it.live("is not retried if it is the same, or can't be loaded: the 401 is the better error", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.apiKeys(["another"])
      let loads = 0
      const same = Credential.make({ id: "same", load: Effect.sync(() => Redacted.make("token")) })
      const lost = Credential.make({
        id: "lost",
        load: Effect.suspend(() => (++loads === 1 ? Effect.succeed(Redacted.make("token")) : Effect.fail("no vault")))
      })
      for (const apiKey of [same, lost]) {
        const error = yield* Effect.flip(openai.ask(yield* openai.config(sandbox, { apiKey })))
        assert.deepInclude(error, { _tag: "RequestError", reason: "Authentication", status: 401, attempts: 1 })
      }
      assert.deepStrictEqual([loads, sandbox.stats().requests], [2, 2])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("fails typed when the new one is refused as well", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.apiKeys(["another"])
      let loads = 0
      const credential = Credential.make({
        id: "refused",
        load: Effect.sync(() => Redacted.make(`canary-token-${++loads}`))
      })
      const config = yield* openai.config(sandbox, { apiKey: credential })
      const error = yield* Effect.flip(openai.ask(config))
      assert.deepInclude(error, { _tag: "RequestError", reason: "Authentication", status: 401, attempts: 2 })
      assert.notInclude(error.message, "canary")
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live(
    "with a bumped version takes effect on the next request of a client that is held, while a stream ends on the old",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ timePerToken: 10, tokens: 20 })
        const version = yield* Ref.make(1)
        const credential = Credential.make({
          id: "versioned",
          version: Ref.get(version),
          load: Effect.map(Ref.get(version), (n) => Redacted.make(`token-${n}`))
        })
        const config = yield* openai.config(sandbox, { apiKey: credential })
        const stream = yield* Effect.fork(Stream.runCollect(openai.stream(config)))
        yield* eventually(
          Effect.sync(() => sandbox.stats().inFlight),
          (inFlight) => inFlight === 1
        )
        yield* Ref.set(version, 2)
        yield* openai.ask(config)
        assert.strictEqual((yield* Fiber.join(stream)).length, 20)
        assert.deepStrictEqual(carried(sandbox, "token-1", "token-2"), [1, 1])
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})

for (const subject of subjects) {
  describe.concurrent(`a pool of keys of ${subject.name}`, () => {
    it.live("sends each request to the key that is open, and waits for none that is closed", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5 })
        sandbox.faults.push({
          match: { apiKey: "sk-a" },
          fault: { type: "status", status: 429, headers: { "retry-after": "30" } }
        })
        const apiKey = Credential.pool([Redacted.make("sk-a"), Redacted.make("sk-b"), Redacted.make("sk-c")])
        const config = yield* subject.config(sandbox, { apiKey })
        assert.deepStrictEqual(yield* all(200, () => subject.ask(config)), [])
        const [a, b, c] = carried(sandbox, "sk-a", "sk-b", "sk-c")
        assert.strictEqual(b! + c!, 200)
        assert.isAtMost(a!, 100, "only those that were on their way before the first refusal")
        sandbox.faults.replace([])
        yield* subject.ask(config)
        assert.strictEqual(carried(sandbox, "sk-a")[0], a, "it stays closed")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  })
}

const refusal = (apiKey: string): Sandbox.FaultRule => ({
  match: { apiKey },
  fault: { type: "status", status: 429, headers: { "retry-after": "600" } }
})

describe("a pool of keys", () => {
  it.live("has the budgets of all its members together", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 100 })
      const apiKey = Credential.pool([Redacted.make("sk-a"), Redacted.make("sk-b"), Redacted.make("sk-c")])
      const config = yield* openai.config(sandbox, { apiKey, quota: { maxConcurrency: 2 } })
      assert.deepStrictEqual(yield* all(30, () => openai.ask(config)), [])
      assert.strictEqual(sandbox.stats().peakInFlight, 6)
      assert.deepStrictEqual(carried(sandbox, "sk-a", "sk-b", "sk-c"), [10, 10, 10])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("goes on without the members that are refused or used up", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.apiKeys(["sk-poor", "sk-good"])
      sandbox.faults.push({
        match: { apiKey: "sk-poor" },
        fault: { type: "status", status: 429, code: "insufficient_quota" }
      })
      const apiKey = Credential.pool([Redacted.make("sk-bad"), Redacted.make("sk-poor"), Redacted.make("sk-good")])
      const config = yield* openai.config(sandbox, { apiKey, maxRetries: 0 })
      for (let i = 0; i < 20; i++) yield* openai.ask(config)
      assert.deepStrictEqual(carried(sandbox, "sk-bad", "sk-poor", "sk-good"), [1, 1, 20])
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("fails typed when all of them are used up", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push({ fault: { type: "status", status: 429, code: "insufficient_quota" } })
      const config = yield* openai.config(sandbox, {
        apiKey: Credential.pool([Redacted.make("sk-a"), Redacted.make("sk-b")])
      })
      const error = yield* Effect.flip(openai.ask(config))
      assert.deepInclude(error, { _tag: "RequestError", reason: "QuotaExceeded", attempts: 2 })
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("goes on with another member if one's Retry-After is longer than maxRetryAfter, and fails if all are", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push(refusal("sk-a"))
      const apiKey = Credential.pool([Redacted.make("sk-a"), Redacted.make("sk-b")])
      const config = yield* openai.config(sandbox, { apiKey })
      const began = performance.now()
      for (let i = 0; i < 4; i++) yield* openai.ask(config)
      const [refused, answered] = carried(sandbox, "sk-a", "sk-b")
      assert.strictEqual(answered, 4)
      // A probe may go after 250 ms.
      assert.isAtMost(refused!, 1 + (performance.now() - began) / 250)
      sandbox.faults.push(refusal("sk-b"))
      const error = yield* Effect.flip(openai.ask(config))
      assert.deepInclude(error, { _tag: "RequestError", reason: "RateLimited" })
      assert.strictEqual(carried(sandbox, "sk-b")[0], 5)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("moves waiting requests to another member when theirs closes", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 50 })
      sandbox.faults.push({
        match: { apiKey: "sk-a", nth: 2 },
        fault: { type: "status", status: 429, headers: { "retry-after": "30" } }
      })
      const apiKey = Credential.pool([Redacted.make("sk-a"), Redacted.make("sk-b")])
      const config = yield* openai.config(sandbox, { apiKey, quota: { maxConcurrency: 1 } })
      assert.deepStrictEqual(yield* all(10, () => openai.ask(config)), [])
      assert.deepStrictEqual(carried(sandbox, "sk-a", "sk-b"), [2, 9])
      const { quotas } = yield* ClientMap.stats
      assert.deepStrictEqual(
        quotas.flatMap(({ models }) => models.map(({ closedUntil }) => closedUntil !== undefined)),
        [true]
      )
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )
})
