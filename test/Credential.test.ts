import { it } from "@effect/vitest"
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
import * as ClientConfig from "../src/ClientConfig.ts"
import { RequestError } from "../src/ClientError.ts"
import * as Credential from "../src/Credential.ts"
import { members, nameOf, stableDigest } from "../src/internal/credential/model.ts"
import * as specs from "../src/internal/config/specs.ts"
import { counting, idle, logs, open, peek, take, use } from "./support/credentials.ts"

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
const key = (text: string) => Redacted.make(text)
const fixed = (text: string) => Credential.fixed(key(text))
const openai = (options: { readonly apiKey: Redacted.Redacted | Credential.Credential }) =>
  ClientConfig.make(specs.openai, options)

const secrets = (credential: Redacted.Redacted | Credential.Credential) =>
  members(credential).map((one) => (Redacted.isRedacted(one) ? Redacted.value(one) : one.id))

describe("a credential's identity", () => {
  it("is its id and version, never its secret", () => {
    assert.ok(Equal.equals(make("a"), Credential.make({ id: "a", load: Effect.succeed(key("other")) })))
    assert.equal(Hash.hash(make("a", 1)), Hash.hash(make("a", 1)))
    for (const other of [make("b", 1), make("a", 2), make("a", "1"), make("a")]) {
      assert.ok(!Equal.equals(make("a", 1), other))
    }
  })

  it("of a fixed one is its secret", () => {
    assert.ok(Equal.equals(fixed("a"), fixed(" a\n")))
    assert.ok(!Equal.equals(fixed("a"), fixed("b")))
    assert.ok(Credential.isCredential(fixed("a")) && !Credential.isCredential(key("a")))
  })

  it.effect("is all that is printed of it", () =>
    Effect.gen(function* () {
      const credential = Credential.make({ id: "vault", version: 7, load: loadA })
      yield* use(yield* open(credential))
      const pool = Credential.pool([credential, key("sk-canary"), fixed("sk-canary-too")])
      for (const one of [credential, fixed("sk-canary"), pool]) {
        const shown = [inspect(one, { showHidden: true, depth: 9 }), JSON.stringify(one), String(one)].join("\n")
        assert.ok(!shown.includes("canary"), shown)
        assert.ok(!JSON.stringify(nameOf(one)).includes("canary"))
      }
      const vault = { _id: "Credential", id: "vault", version: 7 }
      assert.deepEqual(JSON.parse(JSON.stringify(credential)), vault)
      assert.deepEqual(JSON.parse(JSON.stringify(pool)), {
        _id: "Credential",
        id: "pool",
        members: [vault, "<redacted>", "<redacted>"]
      })
      assert.equal(String(pool), "Credential(pool of 3)")
    })
  )
})

describe("a pool", () => {
  it("is its members in their order", () => {
    const pool = Credential.pool([key("a"), make("v"), fixed("b")])
    assert.deepEqual(secrets(pool), ["a", "v", "b"])
    assert.ok(Credential.isCredential(pool))
    const same = Credential.pool([fixed("a"), make("v"), key(" b\n")])
    assert.ok(Equal.equals(pool, same))
    assert.equal(Hash.hash(pool), Hash.hash(same))
    for (const other of [
      Credential.pool([make("v"), key("a"), key("b")]),
      Credential.pool([key("a"), make("v")]),
      Credential.pool([key("a"), make("v", 1), key("b")]),
      make("v"),
      key("a")
    ]) {
      assert.ok(!Equal.equals(pool, other) && !Equal.equals(other, pool))
    }
  })

  it("is flat, and has each member once", () => {
    const inner = Credential.pool([key("b"), key("c"), key("a")])
    const pool = Credential.pool([key("a"), inner, key("c"), make("v"), make("v"), Credential.pool([key("d")])])
    assert.deepEqual(secrets(pool), ["a", "b", "c", "v", "d"])
  })

  it("of one is that one", () => {
    assert.ok(Equal.equals(Credential.pool([key("a")]), fixed("a")))
    const vault = make("v")
    assert.ok(Credential.pool([vault, vault]) === vault)
    assert.deepEqual([secrets(vault), secrets(fixed("a")), secrets(key("a"))], [["v"], ["a"], ["a"]])
  })

  it("that is invalid is refused where it is written, without its content", () => {
    const bad: ReadonlyArray<readonly [unknown, RegExp]> = [
      [[], /option pool is empty; expected at least one of/],
      [key("sk-canary"), /option pool is a Redacted; expected an array/],
      [[key("a"), "sk-canary"], /option pool\[1\] is a plain string; expected Redacted/],
      [[key("a"), undefined], /option pool\[1\] is undefined/],
      [[key("sk-canary\u20ac")], /option pool\[0\] is a secret whose character at position 10 is not in Latin-1/]
    ]
    for (const [input, message] of bad) {
      assert.throws(
        () => Credential.pool(input as ReadonlyArray<Credential.Credential>),
        (error) => {
          assert.match(String(error), message)
          return !inspect(error, { depth: 9 }).includes("canary")
        }
      )
    }
  })

  it.effect("makes one config of equal ones, and settles the versions in it", () =>
    Effect.gen(function* () {
      let version = 1
      const versioned = Credential.make({ id: "v", load: loadA, version: Effect.sync(() => version) })
      const config = (...pool: ReadonlyArray<Redacted.Redacted | Credential.Credential>) =>
        openai({ apiKey: Credential.pool(pool) })
      const one = yield* config(key("a"), versioned)
      assert.ok(one === (yield* config(fixed("a"), make("v", 1))))
      version = 2
      const two = yield* config(key("a"), versioned)
      assert.ok(one !== two)
      assert.ok(two === (yield* config(key("a"), make("v", 2))))
      // Apart before the versions are known, one and the same after.
      const twice = Credential.make({ id: "v", load: loadA, version: Effect.sync(() => 2) })
      assert.ok((yield* config(versioned, twice)) === (yield* openai({ apiKey: make("v", 2) })))
      assert.ok((yield* config(key("a"))) === (yield* openai({ apiKey: key("a") })))
      const prints = [one, two, yield* config(key("b"), versioned), yield* config(key("a"))]
      assert.equal(new Set(prints.map(ClientConfig.fingerprint)).size, prints.length)
    })
  )
})

describe("a credential's name among processes", () => {
  it("is the same for the same secret or id, in every process", () => {
    // As computed elsewhere: sha256sum of "clientele\0secret\0sk-123" and so on, the first half.
    assert.equal(stableDigest(key("sk-123")), "82313c36726e57779c34af61ef4922f2")
    assert.equal(stableDigest(fixed("sk-123\n")), "82313c36726e57779c34af61ef4922f2")
    assert.equal(stableDigest(make("sk-123")), "790da44910e02d294d7e29373e6a44a1")
    assert.equal(stableDigest(make("sk-123", 5)), "790da44910e02d294d7e29373e6a44a1")
    const pools = [Credential.pool([key("a"), make("v")]), Credential.pool([key("a"), make("v", 2)])]
    assert.equal(stableDigest(pools[0]!), stableDigest(pools[1]!))
    assert.notEqual(stableDigest(pools[0]!), stableDigest(Credential.pool([make("v"), key("a")])))
    assert.equal(stableDigest(Credential.pool([key("a")])), stableDigest(key("a")))
  })
})

describe("loading", () => {
  it.effect("happens once for all waiting requests", () =>
    Effect.gen(function* () {
      const { credential, gate, state } = gated()
      // Two clients of one credential are two sources.
      const sources = [yield* open(credential), yield* open(credential)]
      const waiters = yield* Effect.forkAll(Array.from({ length: 1_000 }, (_, i) => use(sources[i % 2]!)))
      yield* idle
      yield* Deferred.succeed(gate, "token")
      assert.deepEqual([...new Set(yield* Fiber.join(waiters))], ["token"])
      assert.equal(state.loads, 1)
    })
  )

  it.effect("a secret without an end is loaded once", () =>
    Effect.gen(function* () {
      let loads = 0
      const source = yield* open(Credential.make({ id: "once", load: Effect.sync(() => key(` key-${++loads}\n`)) }))
      yield* use(source)
      yield* TestClock.adjust("365 days")
      assert.equal(peek(source), "key-1")
    })
  )

  it.effect("a failure reaches all waiting requests as a typed error, and is not cached", () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      const { credential, gate, state } = gated()
      const source = yield* open(credential)
      const waiters = yield* Effect.forkAll([1, 2].map(() => Effect.flip(use(source))))
      yield* idle
      const cause = new Error("vault is sealed")
      yield* Deferred.fail(gate, cause)
      for (const error of yield* Fiber.join(waiters)) {
        assert.ok(error instanceof RequestError)
        const { attempts, baseURL, processed, provider, reason } = error
        assert.deepEqual(
          { attempts, baseURL, processed, provider, reason },
          {
            attempts: 0,
            baseURL: "http://test.invalid/v1",
            processed: "no",
            provider: "test",
            reason: "Authentication"
          }
        )
        assert.equal(error.cause, cause)
        assert.match(error.message, /credential gated could not be loaded; the request was not sent/)
      }
      assert.equal(state.loads, 1)
      yield* Effect.flip(use(source))
      assert.equal(state.loads, 2)
      // All of them got the failure: nothing is left to log.
      assert.deepEqual(lines, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("an abort ends the wait with the signal's reason", () =>
    Effect.gen(function* () {
      const source = yield* open(gated().credential)
      const controller = new AbortController()
      const reason = new Error("enough")
      const waiting = Effect.tryPromise({ try: () => source.load(controller.signal), catch: (error) => error })
      const fiber = yield* Effect.fork(Effect.flip(waiting))
      yield* idle
      controller.abort(reason)
      assert.equal(yield* Fiber.join(fiber), reason)
    })
  )

  it.effect("goes on when its first waiter leaves, and stops when all have", () =>
    Effect.gen(function* () {
      const { credential, gate, state } = gated()
      const source = yield* open(credential)
      const first = yield* Effect.fork(use(source))
      yield* idle
      const second = yield* Effect.fork(use(source))
      yield* idle
      yield* Fiber.interrupt(first)
      yield* idle
      assert.deepEqual(state, { loads: 1, interrupted: 0 })
      yield* Fiber.interrupt(second)
      yield* idle
      assert.deepEqual(state, { loads: 1, interrupted: 1 })
      // The one that was given up does not stand in the way.
      const third = yield* Effect.fork(use(source))
      yield* idle
      yield* Deferred.succeed(gate, "token")
      assert.equal(yield* Fiber.join(third), "token")
      assert.equal(state.loads, 2)
    })
  )

  it.effect("that interrupts itself is a failure, not an interruption of its waiters", () =>
    Effect.gen(function* () {
      const source = yield* open(Credential.make({ id: "quits", load: Effect.interrupt }))
      const error = yield* Effect.flip(use(source))
      assert.ok(error instanceof RequestError)
      assert.match(String(error.cause), /quits\.load is interrupted/)
    })
  )

  it.effect("an invalid secret is refused without quoting it", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust(1_000)
      const secret = key("sk-canary")
      const bad: ReadonlyArray<unknown> = [
        "sk-canary",
        undefined,
        { secret: "sk-canary", expiresAt: new Date(9_000) },
        { secret, expiresAt: new Date(Number.NaN) },
        { secret, expiresAt: 5 },
        { secret, expiresAt: new Date(1_000) },
        key("sk-canary\u20ac"),
        key("")
      ]
      for (const value of bad) {
        const give = Effect.succeed(value) as Effect.Effect<Redacted.Redacted>
        const error = yield* Effect.flip(use(yield* open(Credential.make({ id: "bad", load: give }))))
        assert.ok(error instanceof RequestError)
        assert.match(String(error.cause), /OptionsError: credential: option bad\.load is/)
        assert.ok(!inspect(error).includes("canary"))
      }
    })
  )

  it.effect("fixed secrets are available at once", () =>
    Effect.gen(function* () {
      const secret = key("key")
      const source = yield* open(secret)
      assert.ok(source.peek() === secret)
      assert.equal(yield* use(yield* open(Credential.fixed(secret))), "key")
      assert.equal(Redacted.value(yield* Effect.promise(() => source.load(undefined))), "key")
      assert.equal(source.refused(secret), false)
    })
  )

  it.effect("a pool's members are loaded each by itself", () =>
    Effect.gen(function* () {
      const vault = counting({ life: 60_000 })
      const sources = yield* Effect.forEach(members(Credential.pool([key("a"), vault.credential, make("v")])), open)
      assert.deepEqual(sources.map(peek), ["a", undefined, undefined])
      const taken = yield* Effect.forEach(sources, take)
      assert.deepEqual(taken.map(Redacted.value), ["a", "token-1", "sk-canary"])
      assert.deepEqual(vault.ledger, ["token-1"])
    })
  )
})

describe("options", () => {
  it("that can't be used are refused where they are written", () => {
    const good = Effect.succeed(key("a"))
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

  it.effect("an array of keys is refused with the way to a pool", () =>
    Effect.gen(function* () {
      const apiKey = [key("a"), key("b")] as unknown as Redacted.Redacted
      const error = yield* Effect.flip(openai({ apiKey }))
      assert.deepEqual([error.field, error.received], ["apiKey", "an array"])
      assert.match(error.expected, /Credential\.pool\(\[\.\.\.\]\) for several/)
    })
  )
})
