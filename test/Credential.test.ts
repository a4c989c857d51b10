import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as assert from "node:assert/strict"
import { inspect } from "node:util"
import { describe } from "vitest"
import * as Credential from "../src/Credential.ts"
import { load, peek } from "../src/internal/credential.ts"

/** Loads `token-1`, `token-2`, ..., each of which lives for `life` ms. */
const counting = (life: number, refreshBefore?: number) => {
  const ledger: Array<string> = []
  const credential = Credential.make({
    id: "vault",
    refreshBefore,
    load: Effect.map(Clock.currentTimeMillis, (now) => {
      const token = `token-${ledger.length + 1}`
      ledger.push(token)
      return { secret: Redacted.make(token), expiresAt: new Date(now + life) }
    })
  })
  return { credential, ledger }
}

const token = (credential: Credential.Credential) => Effect.map(load(credential), Redacted.value)

/** A load that waits for the gate. */
const gated = () => {
  const state = { loads: 0, interrupted: 0 }
  const gate = Deferred.unsafeMake<string, Error>(Fiber.id(Fiber.void))
  const credential = Credential.make({
    id: "gated",
    load: Effect.suspend(() => {
      state.loads++
      return Deferred.await(gate)
    }).pipe(
      Effect.map(Redacted.make),
      Effect.onInterrupt(() => Effect.sync(() => state.interrupted++))
    )
  })
  return { credential, gate, state }
}

const loadA = Effect.succeed(Redacted.make("sk-canary"))
const make = (id: string, version?: string | number) => Credential.make({ id, version, load: loadA })
const fixed = (key: string) => Credential.fixed(Redacted.make(key))

describe("a credential's identity", () => {
  it("is its id and version, never its secret", () => {
    assert.ok(Equal.equals(make("a"), Credential.make({ id: "a", load: Effect.succeed(Redacted.make("other")) })))
    assert.equal(Hash.hash(make("a", 1)), Hash.hash(make("a", 1)))
    for (const other of [make("b", 1), make("a", 2), make("a", "1"), make("a")]) {
      assert.ok(!Equal.equals(make("a", 1), other))
    }
  })

  it("of a fixed one is its secret", () => {
    assert.ok(Equal.equals(fixed("a"), fixed(" a\n")))
    assert.ok(!Equal.equals(fixed("a"), fixed("b")))
    assert.ok(Credential.isCredential(fixed("a")) && !Credential.isCredential(Redacted.make("a")))
  })

  it.effect("is all that is shown of it", () =>
    Effect.gen(function* () {
      const credential = Credential.make({ id: "vault", version: 7, load: loadA })
      yield* load(credential)
      for (const one of [credential, fixed("sk-canary")]) {
        const shown = [inspect(one, { showHidden: true, depth: 9 }), JSON.stringify(one), String(one)].join("\n")
        assert.ok(!shown.includes("canary"), shown)
      }
      assert.deepEqual(JSON.parse(JSON.stringify(credential)), { _id: "Credential", id: "vault", version: 7 })
    })
  )
})

describe("loading", () => {
  it.effect("happens once for all who wait", () =>
    Effect.gen(function* () {
      const { credential, gate, state } = gated()
      const waiters = yield* Effect.forkAll(Array.from({ length: 1_000 }, () => token(credential)))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, "token")
      assert.deepEqual([...new Set(yield* Fiber.join(waiters))], ["token"])
      assert.equal(state.loads, 1)
    })
  )

  it.effect("is repeated from refreshBefore on, and not a moment earlier", () =>
    Effect.gen(function* () {
      const { credential, ledger } = counting(600_000)
      assert.equal(peek(credential, 0), undefined)
      assert.equal(yield* token(credential), "token-1")
      yield* TestClock.adjust(539_999)
      assert.equal(yield* token(credential), "token-1")
      assert.equal(Redacted.value(peek(credential, 539_999) ?? Redacted.make("")), "token-1")
      assert.equal(peek(credential, 540_000), undefined)
      yield* TestClock.adjust(1)
      assert.equal(yield* token(credential), "token-2")
      assert.deepEqual(ledger, ["token-1", "token-2"])
    })
  )

  it.effect("a secret that lives shorter than refreshBefore is used for half its life", () =>
    Effect.gen(function* () {
      const { credential, ledger } = counting(30_000)
      yield* token(credential)
      yield* TestClock.adjust(14_999)
      assert.equal(yield* token(credential), "token-1")
      yield* TestClock.adjust(1)
      assert.equal(yield* token(credential), "token-2")
      assert.equal(ledger.length, 2)
    })
  )

  it.effect("a secret without an end is loaded once", () =>
    Effect.gen(function* () {
      let loads = 0
      const credential = Credential.make({ id: "once", load: Effect.sync(() => Redacted.make(` key-${++loads}\n`)) })
      yield* token(credential)
      yield* TestClock.adjust("365 days")
      assert.equal(yield* token(credential), "key-1")
    })
  )

  it.effect("a failure reaches all who wait, and is not remembered", () =>
    Effect.gen(function* () {
      const { credential, gate, state } = gated()
      const waiters = yield* Effect.forkAll([1, 2].map(() => Effect.flip(token(credential))))
      yield* Effect.yieldNow()
      const reason = new Error("vault is sealed")
      yield* Deferred.fail(gate, reason)
      assert.deepEqual(yield* Fiber.join(waiters), [reason, reason])
      assert.equal(yield* Effect.flip(token(credential)), reason)
      assert.equal(state.loads, 2)
    })
  )

  it.effect("goes on when the first who asked is gone, and stops when all are", () =>
    Effect.gen(function* () {
      const { credential, gate, state } = gated()
      const first = yield* Effect.fork(token(credential))
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(token(credential))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      assert.deepEqual(state, { loads: 1, interrupted: 0 })
      yield* Fiber.interrupt(second)
      yield* Effect.repeat(Effect.yieldNow(), { until: () => state.interrupted === 1, times: 100 })
      assert.deepEqual(state, { loads: 1, interrupted: 1 })
      // The one that was given up does not stand in the way.
      const third = yield* Effect.fork(token(credential))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, "token")
      assert.equal(yield* Fiber.join(third), "token")
      assert.equal(state.loads, 2)
    })
  )

  it.effect("that interrupts itself is a failure, not an interruption of those who wait", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(load(Credential.make({ id: "quits", load: Effect.interrupt })))
      assert.match(String(error), /quits\.load is interrupted/)
    })
  )

  it.effect("something else than a secret is refused without quoting it", () =>
    Effect.gen(function* () {
      const secret = Redacted.make("sk-canary")
      const bad: ReadonlyArray<unknown> = [
        "sk-canary",
        undefined,
        { secret: "sk-canary", expiresAt: new Date() },
        { secret, expiresAt: new Date(Number.NaN) },
        { secret, expiresAt: 5 },
        Redacted.make("sk-canary\u20ac"),
        Redacted.make("")
      ]
      for (const value of bad) {
        const give = Effect.succeed(value) as Effect.Effect<Redacted.Redacted>
        const error = yield* Effect.flip(load(Credential.make({ id: "bad", load: give })))
        assert.match(String(error), /OptionsError: credential: option bad\.load is/)
        assert.ok(!inspect(error).includes("canary"))
      }
    })
  )

  it.effect("fixed secrets are at hand at once", () =>
    Effect.gen(function* () {
      const key = Redacted.make("key")
      assert.ok(peek(key, 0) === key)
      assert.ok(Equal.equals(peek(Credential.fixed(key), 0), key))
      assert.equal(yield* token(Credential.fixed(key)), "key")
      assert.equal(Redacted.value(yield* load(key)), "key")
    })
  )
})

describe("options", () => {
  it("that can't be used are refused where they are written", () => {
    const good = Effect.succeed(Redacted.make("a"))
    const bad: ReadonlyArray<readonly [unknown, RegExp]> = [
      [{ load: good }, /option id is undefined/],
      [{ id: " ", load: good }, /option id is empty/],
      [{ id: "a", load: async () => "sk-canary" }, /option load is a function/],
      [{ id: "a", load: good, version: Number.NaN }, /option version is NaN/],
      [{ id: "a", load: good, refreshBefore: -1 }, /option refreshBefore is -1/],
      [{ id: "a", load: good, refreshbefore: 1 }, /did you mean refreshBefore/]
    ]
    for (const [options, message] of bad) {
      assert.throws(() => Credential.make(options as Credential.Options), message)
    }
    assert.throws(() => Credential.fixed("sk" as unknown as Redacted.Redacted), /option secret is a string of 2/)
  })
})
