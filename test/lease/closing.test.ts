import { describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { assert } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"
import { Ledger, ledgerMap, settle, closeable } from "./support.ts"

const endsAfter50 = <E>(effect: Effect.Effect<void, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(49)
    assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
    yield* TestClock.adjust(1)
    yield* Fiber.join(fiber)
  })

describe("closing", () => {
  it.scoped("rcmap-6: a late get fails with a typed error", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const { close, map } = yield* closeable({ name: "clients", lookup: ledger.lookup })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      yield* close
      const get = yield* Effect.flip(LeaseMap.get(map, "k"))
      const use = yield* Effect.flip(LeaseMap.use(map, "k", () => Effect.void))
      assert.deepStrictEqual([get.reason, use.reason], ["Closed", "Closed"])
      assert.match(get.message, /clients/)
      assert.deepStrictEqual(ledger.released, ["k#1"])
      yield* LeaseMap.invalidate(map, "k")
    })
  )

  it.scoped("rcmap-7: values are closed in parallel, leased or not", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const { close, map } = yield* closeable({
        lookup: (key: string) =>
          Effect.zipRight(
            ledger.lookup(key),
            Effect.addFinalizer(() => Effect.sleep(300))
          )
      })
      const outer = yield* Scope.make()
      for (const key of ["a", "b"]) yield* LeaseMap.use(map, key, () => Effect.void)
      for (const key of ["c", "d"]) yield* LeaseMap.get(map, key).pipe(Scope.extend(outer))
      const closing = yield* Effect.fork(close)
      yield* TestClock.adjust(299)
      assert.deepStrictEqual(ledger.released, [])
      yield* TestClock.adjust(1)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(
        [...ledger.released].sort(),
        ["a", "b", "c", "d"].map((key) => `${key}#1`)
      )
      // Leases that end after the map do nothing.
      yield* Scope.close(outer, Exit.void)
      assert.strictEqual(ledger.released.length, 4)
      const stats = yield* LeaseMap.stats(map)
      assert.deepStrictEqual([stats.released, stats.entries.length], [4, 0])
    })
  )

  it.live("rcmap-7: a dying finalizer skips no other, and is logged", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const logs: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void logs.push(`${logLevel.label} ${String(message)}`))
      const { close, map } = yield* closeable({
        lookup: (key: string) =>
          Effect.zipLeft(
            ledger.lookup(key),
            Effect.addFinalizer(() => Effect.die(`${key} dies`))
          )
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      for (const key of ["a", "b", "c"]) yield* LeaseMap.use(map, key, () => Effect.void)
      yield* close
      assert.deepStrictEqual([...ledger.released].sort(), ["a#1", "b#1", "c#1"])
      assert.strictEqual(logs.filter((line) => line.startsWith("WARN a finalizer failed")).length, 3)
    })
  )

  it.scoped("a finalizer that hangs is waited for no longer than drainTimeout, at release and at close", () =>
    Effect.gen(function* () {
      const { close, map } = yield* closeable({
        drainTimeout: 50,
        idleTimeToLive: 0,
        lookup: () => Effect.addFinalizer(() => Effect.never)
      })
      yield* endsAfter50(LeaseMap.use(map, "k", () => Effect.void))
      const outer = yield* Scope.make()
      yield* LeaseMap.get(map, "k").pipe(Scope.extend(outer))
      yield* LeaseMap.get(map, "l").pipe(Scope.extend(outer))
      yield* endsAfter50(close)
      assert.strictEqual((yield* LeaseMap.stats(map)).released, 3)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.live("waiters for a build or for room fail as the map is closed", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const { close, map } = yield* closeable({
        maxEntries: 1,
        acquireTimeout: Duration.infinity,
        lookup: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      })
      const fibers = yield* Effect.all(
        ["a", "a", "b"].map((key) => Effect.fork(Effect.flip(Effect.scoped(LeaseMap.get(map, key)))))
      )
      yield* settle
      yield* close
      const errors = yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(
        errors.map((error) => error.reason),
        ["Closed", "Closed", "Closed"]
      )
      assert.strictEqual(interrupted, 1)
    })
  )

  it.live("a build that can't be interrupted does not hold the close up, and is released when it is done", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const latch = yield* Deferred.make<void>()
      const { close, map } = yield* closeable({
        drainTimeout: 50,
        lookup: (key: string) => Effect.uninterruptible(Effect.zipRight(Deferred.await(latch), ledger.lookup(key)))
      })
      const getter = yield* Effect.fork(Effect.flip(Effect.scoped(LeaseMap.get(map, "k"))))
      yield* settle
      yield* close
      assert.strictEqual((yield* Fiber.join(getter)).reason, "Closed")
      yield* Deferred.succeed(latch, undefined)
      yield* settle
      yield* settle
      assert.deepStrictEqual([ledger.built, ledger.released], [["k#1"], ["k#1"]])
    })
  )

  it.live("an expiry that is finalizing is not cut off by the close", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { close, map } = yield* closeable({
        idleTimeToLive: 5,
        lookup: () =>
          Effect.addFinalizer(() =>
            Effect.sync(() => log.push("begin")).pipe(
              Effect.zipRight(Effect.sleep(100)),
              Effect.zipRight(Effect.sync(() => log.push("end")))
            )
          )
      })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      while (log.length === 0) yield* Effect.sleep(2)
      yield* close
      assert.deepStrictEqual(log, ["begin", "end"])
    })
  )

  it.scoped("a map in a layer made in an uninterruptible region still interrupts its builds", () =>
    Effect.gen(function* () {
      const map = yield* Effect.uninterruptible(LeaseMap.make({ lookup: () => Effect.never }))
      const getter = yield* Effect.fork(LeaseMap.get(map, "k"))
      yield* settle
      yield* Fiber.interrupt(getter)
      yield* settle
      const stats = yield* LeaseMap.stats(map)
      assert.deepStrictEqual([stats.failed, stats.entries.length], [1, 0])
    }).pipe(Effect.provide(Layer.empty))
  )

  it.scoped("leasing into a closed scope holds nothing", () =>
    Effect.gen(function* () {
      const { map } = yield* ledgerMap()
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* LeaseMap.get(map, "k").pipe(Scope.extend(scope)), "k#1")
      assert.strictEqual((yield* LeaseMap.stats(map)).entries[0]?.leases, 0)
    })
  )
})
