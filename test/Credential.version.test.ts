import { it } from "@effect/vitest"
import * as assert from "node:assert/strict"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import { RequestError } from "../src/ClientError.ts"
import { settled } from "../src/internal/credential/model.ts"
import { counting, idle, logs, open, peek, use } from "./support/credentials.ts"

const MINUTE = 60_000

/** A credential with this version, and what opens a source of it as a client does. */
const versioned = (version: Effect.Effect<string | number, unknown>, life = 60 * MINUTE) => {
  const { credential, ledger } = counting({ life, version })
  const source = Effect.suspend(() => {
    const one = settled(credential)
    return Effect.isEffect(one) ? Effect.flatMap(one, open) : open(one)
  })
  return { credential, ledger, source }
}

describe("a version that changes", () => {
  it.effect("takes effect on the next request of a client that exists", () =>
    Effect.gen(function* () {
      let version = 1
      const { ledger, source } = versioned(Effect.sync(() => version))
      const first = yield* source
      assert.equal(yield* use(first), "token-1")
      assert.equal(peek(first), "token-1")
      version = 2
      const second = yield* source
      assert.equal(peek(first), undefined)
      // Clients of the old and of the new version share one load.
      const all = yield* Effect.all([use(first), use(second), use(first)], { concurrency: "unbounded" })
      assert.deepEqual(all, ["token-2", "token-2", "token-2"])
      assert.deepEqual([peek(first), peek(second)], ["token-2", "token-2"])
      version = 1
      assert.equal(yield* use(second), "token-3")
      assert.equal(ledger.length, 3)
    })
  )

  it.effect("during a load makes the next request begin another; waiters for the first go on", () =>
    Effect.gen(function* () {
      let version = 1
      const gates = [Deferred.unsafeMake<void>(FiberId.none), Deferred.unsafeMake<void>(FiberId.none)]
      const { credential, ledger } = counting({
        life: 60 * MINUTE,
        version: Effect.sync(() => version),
        before: (load) => Deferred.await(gates[load - 1]!)
      })
      const source = yield* open(credential)
      const before = yield* Effect.fork(use(source))
      yield* idle
      version = 2
      const after = yield* Effect.fork(use(source))
      yield* idle
      yield* Deferred.succeed(gates[1]!, undefined)
      assert.equal(yield* Fiber.join(after), "token-2")
      yield* Deferred.succeed(gates[0]!, undefined)
      assert.equal(yield* Fiber.join(before), "token-1")
      assert.equal(peek(source), "token-2")
      assert.equal(ledger.length, 2)
    })
  )

  it.effect("ends a load of the old one that has no waiter", () =>
    Effect.gen(function* () {
      let [version, interrupted] = [1, 0]
      const gate = yield* Deferred.make<void>()
      const hang = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const { credential, ledger } = counting({
        life: 10 * MINUTE,
        version: Effect.sync(() => version),
        before: (load) => [Effect.void, hang, hang, Deferred.await(gate)][load - 1]!
      })
      const source = yield* open(credential)
      yield* use(source)
      yield* TestClock.adjust(9 * MINUTE)
      // The second load is ahead of time.
      assert.equal(peek(source), "token-1")
      yield* idle
      version = 2
      const gone = yield* Effect.fork(use(source))
      yield* idle
      assert.deepEqual([ledger.length, interrupted], [3, 1])
      // The only one who waits for the third goes when the fourth is under way, which goes on.
      version = 3
      const first = yield* Effect.fork(use(source))
      yield* idle
      yield* Fiber.interrupt(gone)
      yield* idle
      const second = yield* Effect.fork(use(source))
      yield* idle
      assert.deepEqual([ledger.length, interrupted], [4, 2])
      yield* Deferred.succeed(gate, undefined)
      assert.deepEqual([yield* Fiber.join(first), yield* Fiber.join(second)], ["token-4", "token-4"])
    })
  )

  it.effect("may be an effect that waits: each request asks, and the order of asking counts", () =>
    Effect.gen(function* () {
      const answers: Array<readonly [number, number]> = []
      let asked = 0
      const { ledger, source } = versioned(
        Effect.suspend(() => {
          asked++
          const [version, ms] = answers.shift() ?? [1, 10]
          return Effect.delay(Effect.succeed(version), ms)
        })
      )
      const opening = yield* Effect.fork(source)
      yield* idle
      yield* TestClock.adjust(10)
      const first = yield* Fiber.join(opening)
      const request = yield* Effect.fork(use(first))
      yield* idle
      yield* TestClock.adjust(10)
      assert.equal(yield* Fiber.join(request), "token-1")
      assert.equal(asked, 2)
      // The first call is answered last, with an outdated version.
      answers.push([1, 100], [2, 10], [2, 10])
      const late = yield* Effect.fork(use(first))
      yield* idle
      const early = yield* Effect.fork(use(first))
      yield* idle
      yield* TestClock.adjust(10)
      assert.equal(yield* Fiber.join(early), "token-2")
      yield* TestClock.adjust(90)
      assert.equal(yield* Fiber.join(late), "token-2")
      assert.equal(ledger.length, 2)
      // Nobody waits longer than he wants to.
      const gone = yield* Effect.fork(use(first))
      yield* idle
      yield* Fiber.interrupt(gone)
      assert.equal(asked, 5)
    })
  )

  it.effect("that waits has its secret refreshed ahead as well", () =>
    Effect.gen(function* () {
      const { ledger, source } = versioned(
        Effect.as(
          Effect.promise(() => Promise.resolve()),
          1
        ),
        10 * MINUTE
      )
      const first = yield* source
      yield* use(first)
      yield* TestClock.adjust(9 * MINUTE)
      assert.equal(yield* use(first), "token-1")
      yield* idle
      assert.equal(yield* use(first), "token-2")
      assert.equal(ledger.length, 2)
    })
  )

  it.effect("that fails leaves the last known one in use, and is logged once until it succeeds again", () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      let answer: Effect.Effect<string | number, unknown> = Effect.succeed(1)
      const { ledger, source } = versioned(Effect.suspend(() => answer))
      const first = yield* source
      yield* use(first)
      const said =
        "WARN credential vault: reading its version failed (Error: no route); the last known version stays in use"
      answer = Effect.fail(new Error("no route"))
      assert.deepEqual([peek(first), peek(first)], ["token-1", "token-1"])
      yield* idle
      assert.deepEqual(lines, [said])
      answer = Effect.succeed(2)
      assert.equal(yield* use(first), "token-2")
      answer = Effect.zipRight(
        Effect.promise(() => Promise.resolve()),
        Effect.fail(new Error("no route"))
      )
      assert.equal(yield* use(first), "token-2")
      yield* idle
      assert.deepEqual(lines, [said, said])
      answer = Effect.die(new Error("defect"))
      assert.equal(peek(first), "token-2")
      answer = Effect.succeed(Number.NaN)
      assert.equal(peek(first), "token-2")
      assert.deepEqual([lines.length, ledger.length], [2, 2])
    }).pipe(Effect.provide(layer))
  })

  it.effect("that was never read is a typed error", () =>
    Effect.gen(function* () {
      const { credential } = versioned(Effect.fail("no route"))
      const error = yield* Effect.flip(use(yield* open(credential)))
      assert.ok(error instanceof RequestError)
      assert.deepEqual([error.reason, error.cause], ["Authentication", "no route"])
    })
  )
})
