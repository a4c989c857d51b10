import { describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { assert } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"
import { eventually } from "../support/wait.ts"
import { Ledger, ledgerMap, lease, settle, handleMap } from "./support.ts"

describe("invalidation", () => {
  for (const idleTimeToLive of [Duration.zero, Duration.seconds(5), Duration.infinity]) {
    it.scoped(`rcmap-2: the borrower finishes on the old value, idle time ${Duration.format(idleTimeToLive)}`, () =>
      Effect.gen(function* () {
        const { ledger, map } = yield* ledgerMap({ idleTimeToLive })
        const inner = yield* Scope.make()
        const old = yield* lease(map, "k")
        yield* LeaseMap.invalidate(map, "k")
        const second = yield* LeaseMap.get(map, "k").pipe(Scope.extend(inner))
        assert.deepStrictEqual([old.value, second], ["k#1", "k#2"])
        assert.deepStrictEqual(ledger.released, [])
        yield* old.end
        assert.deepStrictEqual(ledger.released, ["k#1"])
        assert.strictEqual(yield* LeaseMap.get(map, "k").pipe(Scope.extend(inner)), "k#2")
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(ledger.released, ["k#1"])
        yield* Scope.close(inner, Exit.void)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(ledger.released, Duration.isFinite(idleTimeToLive) ? ["k#1", "k#2"] : ["k#1"])
        assert.deepStrictEqual(ledger.built, ["k#1", "k#2"])
      })
    )
  }

  it.scoped("an idle value is released before invalidate returns", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap()
      yield* LeaseMap.use(map, "k", () => Effect.void)
      yield* LeaseMap.invalidate(map, "k")
      assert.deepStrictEqual(ledger.released, ["k#1"])
      yield* LeaseMap.invalidate(map, "k")
      yield* LeaseMap.invalidate(map, "never seen")
      assert.strictEqual(yield* LeaseMap.use(map, "k", Effect.succeed), "k#2")
    })
  )

  it.scoped("a value invalidated during its build goes to its waiters alone", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const latch = yield* Deferred.make<void>()
      const map = yield* LeaseMap.make({
        lookup: (key: string) => Effect.zipRight(Deferred.await(latch), ledger.lookup(key))
      })
      const waiter = yield* Effect.fork(LeaseMap.use(map, "k", (value) => Effect.as(Effect.sleep(100), value)))
      yield* settle
      yield* LeaseMap.invalidate(map, "k")
      const other = yield* Effect.fork(LeaseMap.use(map, "k", Effect.succeed))
      yield* Deferred.succeed(latch, undefined)
      assert.strictEqual(yield* Fiber.join(other), "k#2")
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(waiter), "k#1")
      assert.deepStrictEqual(ledger.released, ["k#1"])
    })
  )
})

describe("idle time", () => {
  it.live(
    "a value that is leased again in the same turn of the event loop was never idle, and expires all the same",
    () =>
      Effect.gen(function* () {
        const { ledger, map } = yield* ledgerMap({ idleTimeToLive: 1_000 })
        yield* Effect.repeatN(
          LeaseMap.use(map, "k", () => Effect.void),
          1_000
        )
        assert.deepStrictEqual([ledger.built, ledger.released], [["k#1"], []])
        yield* Effect.sleep(20)
        yield* LeaseMap.use(map, "k", () => Effect.sleep(20))
        assert.deepStrictEqual([ledger.built, ledger.released], [["k#1"], []])
        yield* eventually(
          Effect.sync(() => ledger.released.length),
          (released) => released === 1
        )
        yield* LeaseMap.use(map, "k", () => Effect.void)
        assert.deepStrictEqual(ledger.built, ["k#1", "k#2"])
      }).pipe(Effect.scoped)
  )

  it.scoped("a value stays open until just before its idle time, and closes at it", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ idleTimeToLive: "5 seconds" })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      yield* TestClock.adjust(4999)
      assert.deepStrictEqual(ledger.released, [])
      // A lease in between starts it anew.
      yield* LeaseMap.use(map, "k", () => Effect.void)
      assert.strictEqual((yield* LeaseMap.stats(map)).entries[0]?.idleSince, 4999)
      yield* TestClock.adjust(4999)
      assert.deepStrictEqual(ledger.released, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(ledger, Object.assign(new Ledger(), ledger, { built: ["k#1"], released: ["k#1"] }))
      assert.strictEqual(yield* LeaseMap.use(map, "k", Effect.succeed), "k#2")
    })
  )

  it.scoped("values that went idle one after the other expire one after the other", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ idleTimeToLive: 1000 })
      for (const key of ["a", "b", "c"]) {
        yield* LeaseMap.use(map, key, () => Effect.void)
        yield* TestClock.adjust(100)
      }
      // Leased again, the first is now the last to expire; leased still, the second does not.
      yield* LeaseMap.use(map, "a", () => Effect.void)
      yield* lease(map, "b")
      yield* TestClock.adjust(899)
      assert.deepStrictEqual(ledger.released, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(ledger.released, ["c#1"])
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(ledger.released, ["c#1"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(ledger.released, ["c#1", "a#1"])
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(ledger.released, ["c#1", "a#1"])
    })
  )

  it.scoped("a lease over the end of the idle time keeps it open", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ idleTimeToLive: 1000 })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      yield* TestClock.adjust(999)
      const held = yield* lease(map, "k")
      yield* TestClock.adjust(5000)
      assert.deepStrictEqual(ledger.released, [])
      yield* held.end
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(ledger.released, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(ledger.released, ["k#1"])
    })
  )

  it.scoped("a value that is not worth keeping is released with its last lease, and others have their idle time", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const { ledger, map } = yield* ledgerMap({
        idleTimeToLive: 1000,
        worthKeeping: (value) => {
          asked.push(value)
          return value !== "k#1"
        }
      })
      const [a, b] = [yield* lease(map, "k"), yield* lease(map, "k")]
      yield* a.end
      assert.deepStrictEqual([asked, ledger.released], [[], []])
      yield* b.end
      assert.deepStrictEqual([asked, ledger.released], [["k#1"], ["k#1"]])
      assert.strictEqual(yield* LeaseMap.use(map, "k", Effect.succeed), "k#2")
      yield* TestClock.adjust(999)
      assert.deepStrictEqual([asked, ledger.released], [["k#1", "k#2"], ["k#1"]])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        [ledger.built, ledger.released],
        [
          ["k#1", "k#2"],
          ["k#1", "k#2"]
        ]
      )
    })
  )

  it.scoped("without idle time the last borrower's scope closes after the release", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ idleTimeToLive: 0 })
      const [a, b] = [yield* lease(map, "k"), yield* lease(map, "k")]
      yield* a.end
      assert.deepStrictEqual(ledger.released, [])
      yield* b.end
      assert.deepStrictEqual(ledger.released, ["k#1"])
    })
  )

  it.live("without idle time the last borrower waits for a slow release", () =>
    Effect.gen(function* () {
      let done = false
      const map = yield* LeaseMap.make({
        idleTimeToLive: 0,
        lookup: () =>
          Effect.addFinalizer(() =>
            Effect.zipRight(
              Effect.sleep(20),
              Effect.sync(() => (done = true))
            )
          )
      })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      assert.isTrue(done)
    }).pipe(Effect.scoped)
  )
})

describe("Handle", () => {
  it.scoped("alone keeps a value open, and its release starts the idle time", () =>
    Effect.gen(function* () {
      const { handle, ledger } = yield* handleMap({ idleTimeToLive: 1000 })
      assert.strictEqual(handle.leases(), 1)
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(ledger.released, [])
      handle.release()
      yield* TestClock.adjust(999)
      // Taken while idle, in time.
      assert.isTrue(handle.retain())
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(ledger.released, [])
      handle.release()
      // More releases than leases do nothing.
      handle.release()
      handle.release()
      assert.strictEqual(handle.leases(), 0)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(ledger.released, ["k#1"])
      assert.isFalse(handle.retain())
    })
  )

  it.scoped("too many releases do not end a fiber's lease", () =>
    Effect.gen(function* () {
      const { handle, ledger, map } = yield* handleMap({ idleTimeToLive: 0 })
      yield* LeaseMap.get(map, "k")
      handle.release()
      handle.release()
      assert.strictEqual(handle.leases(), 1)
      assert.deepStrictEqual(ledger.released, [])
    })
  )

  it.scoped("keeps an invalidated value until it lets go", () =>
    Effect.gen(function* () {
      const { handle, ledger, map } = yield* handleMap({ idleTimeToLive: Duration.infinity })
      yield* LeaseMap.invalidate(map, "k")
      assert.isTrue(handle.retain())
      assert.strictEqual(yield* LeaseMap.use(map, "k", Effect.succeed), "k#2")
      handle.release()
      assert.deepStrictEqual(ledger.released, [])
      handle.release()
      assert.deepStrictEqual(ledger.released, ["k#1"])
    })
  )

  it.scoped("refuses while the finalizers run", () =>
    Effect.gen(function* () {
      const results: Array<boolean> = []
      const map = yield* LeaseMap.make({
        idleTimeToLive: 0,
        lookup: (_: string, self) => Effect.addFinalizer(() => Effect.sync(() => results.push(self.retain())))
      })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      assert.deepStrictEqual(results, [false])
    })
  )

  it.scoped("has a generation that is never reused", () =>
    Effect.gen(function* () {
      const generations: Array<number> = []
      const map = yield* LeaseMap.make({
        idleTimeToLive: 0,
        lookup: (_: string, self) => Effect.sync(() => generations.push(self.generation))
      })
      for (const key of ["a", "b", "a"]) yield* LeaseMap.use(map, key, () => Effect.void)
      assert.strictEqual(new Set(generations).size, 3)
    })
  )
})
