import { it } from "@effect/vitest"
import { AsyncLocalStorage } from "node:async_hooks"
import * as assert from "node:assert/strict"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import { RequestError } from "../src/ClientError.ts"
import * as Credential from "../src/Credential.ts"
import { counting, idle, logs, open, peek, take, use } from "./support/credentials.ts"

const MINUTE = 60_000
const MS = 1

describe("a secret that is about to expire", () => {
  it.effect("is loaded anew in the background from refreshBefore on, and not a moment earlier", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { credential, ledger } = counting({
        life: 10 * MINUTE,
        before: (load) => (load === 2 ? Deferred.await(gate) : Effect.void)
      })
      const source = yield* open(credential)
      assert.equal(peek(source), undefined)
      assert.equal(yield* use(source), "token-1")
      yield* TestClock.adjust(9 * MINUTE - MS)
      assert.equal(peek(source), "token-1")
      yield* idle
      assert.deepEqual(ledger, ["token-1"])
      yield* TestClock.adjust(MS)
      // One begins the load, nobody waits for it, and nobody begins another.
      assert.deepEqual([peek(source), peek(source), ledger.length], ["token-1", "token-1", 1])
      yield* idle
      assert.deepEqual([peek(source), ledger], ["token-1", ["token-1", "token-2"]])
      yield* Deferred.succeed(gate, undefined)
      yield* idle
      assert.equal(peek(source), "token-2")
    })
  )

  it.effect("is used until then, and awaited from then on, by the load that is under way", () =>
    Effect.gen(function* () {
      const { credential, ledger } = counting({
        life: 10 * MINUTE,
        before: (load) => (load === 2 ? Effect.sleep(2 * MINUTE) : Effect.void)
      })
      const source = yield* open(credential)
      yield* use(source)
      yield* TestClock.adjust(9 * MINUTE)
      assert.equal(peek(source), "token-1")
      yield* idle
      yield* TestClock.adjust(MINUTE - MS)
      assert.equal(peek(source), "token-1")
      yield* TestClock.adjust(MS)
      assert.equal(peek(source), undefined)
      const waiters = yield* Effect.forkAll([use(source), use(source)])
      yield* idle
      yield* TestClock.adjust(MINUTE)
      assert.deepEqual(yield* Fiber.join(waiters), ["token-2", "token-2"])
      assert.equal(ledger.length, 2)
    })
  )

  it.effect("and lives shorter than refreshBefore is refreshed from half of its life on", () =>
    Effect.gen(function* () {
      const { credential, ledger } = counting({ life: 30_000 })
      const source = yield* open(credential)
      yield* use(source)
      yield* TestClock.adjust(14_999)
      assert.equal(peek(source), "token-1")
      yield* idle
      assert.equal(ledger.length, 1)
      yield* TestClock.adjust(1)
      assert.equal(peek(source), "token-1")
      yield* idle
      assert.equal(peek(source), "token-2")
    })
  )

  it.effect("with refreshBefore 0 is used to its end, and then awaited", () =>
    Effect.gen(function* () {
      const { credential, ledger } = counting({ life: MINUTE, refreshBefore: 0 })
      const source = yield* open(credential)
      yield* use(source)
      yield* TestClock.adjust(MINUTE - MS)
      assert.equal(peek(source), "token-1")
      yield* idle
      assert.equal(ledger.length, 1)
      yield* TestClock.adjust(MS)
      assert.equal(peek(source), undefined)
      assert.equal(yield* use(source), "token-2")
    })
  )

  it.effect("is not handed to a request that wakes after its expiry", () =>
    Effect.gen(function* () {
      // A machine so busy that ten milliseconds pass whenever anybody looks.
      const real = yield* Effect.clock
      let now = 0
      const slow: Clock.Clock = Object.assign(Object.create(real), {
        unsafeCurrentTimeMillis: () => (now += 10),
        currentTimeMillis: Effect.sync(() => (now += 10))
      })
      let loads = 0
      const credential = Credential.make({
        id: "short",
        load: Effect.sync(() => ({
          secret: Redacted.make(`token-${++loads}`),
          expiresAt: new Date(loads === 1 ? now + 25 : now + MINUTE)
        }))
      })
      const source = yield* Effect.withClock(open(credential), slow)
      assert.equal(yield* use(source), "token-2")
    })
  )

  it.effect("is loaded outside of the request that began it", () =>
    Effect.gen(function* () {
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<string | undefined> = []
      const credential = Credential.make({
        id: "vault",
        version: Effect.sync(() => {
          seen.push(storage.getStore())
          return 1
        }),
        load: Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.promise(async () => {
            seen.push(storage.getStore())
            return { secret: Redacted.make("token"), expiresAt: new Date(now + 2 * MINUTE) }
          })
        )
      })
      const source = yield* open(credential)
      const request = Effect.promise(() => storage.run("request", async () => source.peek() ?? source.load(undefined)))
      yield* request
      yield* TestClock.adjust(MINUTE)
      yield* request
      yield* idle
      assert.deepEqual(seen, [undefined, undefined, undefined, undefined, undefined])
    })
  )
})

describe("a load in the background that fails", () => {
  it.effect("is logged once, retried after growing pauses, and fails no request until the secret's expiry", () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      const tries: Array<number> = []
      const credential = Credential.make({
        id: "vault",
        load: Effect.flatMap(Clock.currentTimeMillis, (now) => {
          tries.push(now)
          return tries.length === 1
            ? Effect.succeed({ secret: Redacted.make("sk-canary"), expiresAt: new Date(2 * MINUTE) })
            : Effect.fail(new Error("401 for sk-canary: vault is sealed"))
        })
      })
      const source = yield* open(credential)
      yield* use(source)
      for (const second of [...Array.from({ length: 120 }, (_, i) => i), 119.5, 119.8, 119.9]) {
        yield* TestClock.setTime(second * 1_000)
        // As often as anybody asks, and at every moment.
        assert.deepEqual([peek(source), peek(source)], ["sk-canary", "sk-canary"])
        yield* idle
      }
      // A second, two, four, eight, sixteen; then half of what is left, but no less than a second.
      assert.deepEqual(
        tries.map((at) => at / 1_000),
        [0, 60, 61, 63, 67, 75, 91, 106, 113, 117, 119]
      )
      assert.deepEqual(lines, [
        "WARN credential vault: refreshing the secret ahead of its expiry failed " +
          "(Error: 401 for [key]: vault is sealed); the current one is used until 1970-01-01T00:02:00.000Z"
      ])
      yield* TestClock.setTime(2 * MINUTE)
      assert.equal(peek(source), undefined)
      assert.ok((yield* Effect.flip(use(source))) instanceof RequestError)
      assert.equal(lines.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is logged again after a success", () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      const { credential } = counting({
        life: 2 * MINUTE,
        before: (load) => (load % 2 === 0 ? Effect.fail({ _tag: "VaultError", token: "sk-canary" }) : Effect.void)
      })
      const source = yield* open(credential)
      yield* use(source)
      const seen: Array<string | undefined> = []
      for (const at of [60, 61, 62, 121, 122, 123]) {
        yield* TestClock.setTime(at * 1_000)
        seen.push(peek(source))
        yield* idle
      }
      assert.deepEqual(seen, ["token-1", "token-1", "token-3", "token-3", "token-3", "token-5"])
      assert.deepEqual(
        lines.map((line) => line.replace(/.*\((.*)\).*/, "$1")),
        ["VaultError", "VaultError"]
      )
    }).pipe(Effect.provide(layer))
  })
})

describe("a secret that the provider refuses", () => {
  it.effect("is loaded anew, once for a hundred refusals", () =>
    Effect.gen(function* () {
      const { credential, ledger } = counting({ life: 60 * MINUTE, before: () => Effect.sleep(5) })
      const source = yield* open(credential)
      const request = Effect.gen(function* () {
        const secret = yield* take(source)
        if (Redacted.value(secret) !== "token-1") return Redacted.value(secret)
        // The answers come over a time in which the next secret is loaded.
        yield* Effect.sleep(yield* Effect.sync(() => 1 + (answers++ % 20)))
        assert.equal(source.refused(secret), true)
        return yield* use(source)
      })
      let answers = 0
      const all = yield* Effect.forkAll(Array.from({ length: 100 }, () => request))
      for (let i = 0; i < 40; i++) {
        yield* idle
        yield* TestClock.adjust(1)
      }
      assert.deepEqual([...new Set(yield* Fiber.join(all))], ["token-2"])
      assert.deepEqual(ledger, ["token-1", "token-2"])
    })
  )

  it.effect("and given again by the load is not worth another try, until a growing pause is over", () =>
    Effect.gen(function* () {
      const loads: Array<number> = []
      let key = "revoked"
      const credential = Credential.make({
        id: "vault",
        load: Effect.map(Clock.currentTimeMillis, (now) => {
          loads.push(now)
          return Redacted.make(key)
        })
      })
      const source = yield* open(credential)
      const refused: Array<number> = []
      for (let i = 0; i <= 20; i++) {
        yield* TestClock.setTime(i * 500)
        const secret = yield* take(source)
        assert.equal(Redacted.value(secret), "revoked")
        if (source.refused(secret)) refused.push(i * 500)
      }
      assert.deepEqual(refused, [0, 1_500, 4_000, 8_500])
      assert.deepEqual(loads, [0, 500, 2_000, 4_500, 9_000])
      // The vault has another: that is found, and the next refusal is acted upon at once.
      key = "second"
      yield* TestClock.setTime(30_000)
      const last = yield* take(source)
      assert.equal(source.refused(last), true)
      const second = yield* take(source)
      assert.equal(Redacted.value(second), "second")
      assert.deepEqual([source.refused(last), peek(source)], [true, "second"])
      key = "third"
      assert.equal(source.refused(second), true)
      const third = yield* take(source)
      assert.equal(Redacted.value(third), "third")
      // And the pauses begin anew.
      const again: Array<boolean> = []
      for (const at of [30_000, 30_999, 31_000]) {
        yield* TestClock.setTime(at)
        again.push(source.refused(third))
        assert.equal(yield* use(source), "third")
      }
      assert.deepEqual(again, [true, false, true])
    })
  )

  it.effect("while the next is being loaded in the background is not taken from there again", () =>
    Effect.gen(function* () {
      let [key, loads] = ["old", 0]
      const gate = yield* Deferred.make<void>()
      const credential = Credential.make({
        id: "vault",
        load: Effect.gen(function* () {
          const read = { secret: Redacted.make(key), expiresAt: new Date(10 * MINUTE) }
          if (++loads === 2) yield* Deferred.await(gate)
          return read
        })
      })
      const source = yield* open(credential)
      const old = yield* take(source)
      yield* TestClock.adjust(9 * MINUTE)
      assert.equal(peek(source), "old")
      yield* idle
      // The key is rotated after that load has read it.
      key = "new"
      assert.equal(source.refused(old), true)
      const waiter = yield* Effect.fork(use(source))
      yield* idle
      yield* Deferred.succeed(gate, undefined)
      assert.equal(yield* Fiber.join(waiter), "new")
      assert.equal(loads, 3)
    })
  )

  it.effect("is compared by value, not by object", () =>
    Effect.gen(function* () {
      const { credential, ledger } = counting({ life: 60 * MINUTE })
      const source = yield* open(credential)
      yield* use(source)
      assert.equal(source.refused(Redacted.make("token-0")), true)
      assert.equal(peek(source), "token-1")
      assert.equal(source.refused(Redacted.make("token-1")), true)
      assert.equal(peek(source), undefined)
      assert.equal(ledger.length, 1)
    })
  )
})
