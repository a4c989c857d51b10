import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { assert } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"
import { closeable, Ledger, ledgerMap, lease, range, settle } from "./support.ts"
import { schedulerOf } from "../support/scheduler.ts"

describe("room", () => {
  it.scoped("rcmap-4: beyond capacity the least recently used idle value goes", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ capacity: 2 })
      yield* LeaseMap.use(map, "a", () => Effect.void)
      yield* LeaseMap.use(map, "b", () => Effect.void)
      yield* LeaseMap.use(map, "a", () => Effect.void)
      yield* LeaseMap.use(map, "c", () => Effect.void)
      assert.deepStrictEqual(ledger.released, ["b#1"])
      assert.strictEqual((yield* LeaseMap.stats(map)).evicted, 1)
    })
  )

  it.scoped("rcmap-4: with all leased the third is built all the same, and the map shrinks later", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ capacity: 2 })
      const a = yield* lease(map, "a")
      const b = yield* lease(map, "b")
      const c = yield* lease(map, "c")
      assert.deepStrictEqual(
        ledger,
        Object.assign(new Ledger(), ledger, { built: ["a#1", "b#1", "c#1"], released: [] })
      )
      yield* b.end
      assert.deepStrictEqual(ledger.released, ["b#1"])
      yield* a.end
      yield* c.end
      assert.deepStrictEqual(ledger.released, ["b#1"])
    })
  )

  it.scoped("at maxEntries a lease fails with a typed error after acquireTimeout", () =>
    Effect.gen(function* () {
      const { map } = yield* ledgerMap({ maxEntries: 2, acquireTimeout: 1000, name: "clients" })
      yield* LeaseMap.get(map, "a")
      yield* LeaseMap.get(map, "b")
      const third = yield* Effect.fork(Effect.flip(LeaseMap.get(map, "c")))
      yield* TestClock.adjust(999)
      assert.isTrue(Option.isNone(yield* Fiber.poll(third)))
      assert.strictEqual((yield* LeaseMap.stats(map)).waiting, 1)
      yield* TestClock.adjust(1)
      const error = yield* Fiber.join(third)
      assert.deepStrictEqual([error._tag, error.reason, error.map], ["LeaseError", "Capacity", "clients"])
      assert.strictEqual((yield* LeaseMap.stats(map)).waiting, 0)
      assert.strictEqual(yield* LeaseMap.get(map, "a"), "a#1")
    })
  )

  it.scoped("at maxEntries without acquireTimeout a lease fails at once, and an idle value makes room first", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ maxEntries: 2 })
      yield* LeaseMap.get(map, "a")
      const b = yield* lease(map, "b")
      assert.strictEqual((yield* Effect.flip(LeaseMap.get(map, "c"))).reason, "Capacity")
      yield* b.end
      assert.strictEqual(yield* LeaseMap.get(map, "c"), "c#1")
      assert.deepStrictEqual(ledger.released, ["b#1"])
    })
  )

  it.scoped("waiters are served in order, all of one key together", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ maxEntries: 1, acquireTimeout: Duration.infinity })
      const a = yield* lease(map, "a")
      const order: Array<string> = []
      const hold = (key: string) =>
        LeaseMap.use(map, key, (value) =>
          Effect.zipRight(
            Effect.sync(() => order.push(value)),
            Effect.sleep(10)
          )
        )
      const fibers: Array<Fiber.Fiber<void, LeaseMap.LeaseError>> = []
      for (const key of ["b", "c", "b", "a"]) {
        fibers.push(yield* Effect.fork(hold(key)))
        yield* settle
      }
      assert.deepStrictEqual(order, ["a#1"])
      yield* a.end
      yield* TestClock.adjust(10)
      yield* settle
      assert.deepStrictEqual(order, ["a#1", "b#1", "b#1"])
      yield* TestClock.adjust(10)
      yield* settle
      assert.deepStrictEqual(order, ["a#1", "b#1", "b#1", "c#1"])
      yield* TestClock.adjust(10)
      yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(ledger.released, ["a#1", "b#1"])
    })
  )

  it.scoped("leases that waited for room count once each", () =>
    Effect.gen(function* () {
      const { map } = yield* ledgerMap({ maxEntries: 1, acquireTimeout: Duration.infinity, idleTimeToLive: 0 })
      const a = yield* lease(map, "a")
      const waiting = yield* Effect.forEach(["b", "b", "b"], (key) => Effect.fork(LeaseMap.get(map, key)))
      yield* settle
      yield* a.end
      yield* Fiber.joinAll(waiting)
      const { entries, hits, misses } = yield* LeaseMap.stats(map)
      assert.deepStrictEqual({ hits, misses, leases: entries[0]?.leases }, { hits: 2, misses: 2, leases: 3 })
    })
  )

  it.scoped("a waiter that is interrupted leaves the line, and takes nothing with it", () =>
    Effect.gen(function* () {
      const { map } = yield* ledgerMap({ maxEntries: 1, acquireTimeout: Duration.infinity })
      const a = yield* lease(map, "a")
      const b = yield* Effect.fork(LeaseMap.get(map, "b"))
      const c = yield* Effect.fork(LeaseMap.use(map, "c", Effect.succeed))
      yield* settle
      yield* Fiber.interrupt(b)
      yield* a.end
      assert.strictEqual(yield* Fiber.join(c), "c#1")
    })
  )

  it.scoped("a failed build makes room for a waiter", () =>
    Effect.gen(function* () {
      const map = yield* LeaseMap.make({
        maxEntries: 1,
        acquireTimeout: Duration.infinity,
        lookup: (key: string) =>
          key === "bad" ? Effect.zipRight(Effect.sleep(10), Effect.fail(key)) : Effect.succeed(key)
      })
      const bad = yield* Effect.fork(Effect.flip(LeaseMap.get(map, "bad")))
      const good = yield* Effect.fork(LeaseMap.get(map, "good"))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(bad), "bad")
      assert.strictEqual(yield* Fiber.join(good), "good")
    })
  )

  for (const end of ["a lease ends", "the map closes"] as const) {
    it.live(`a waiter about to queue is not forgotten when ${end}`, () =>
      Effect.gen(function* () {
        for (const k of range(0, 30)) {
          const { close, map } = yield* closeable({
            lookup: Effect.succeed<string>,
            maxEntries: 1,
            acquireTimeout: Duration.infinity
          })
          const a = yield* lease(map, "a")
          // It yields after every 12 operations, and goes on when its turn is called.
          const turns: Array<() => void> = []
          const b = Effect.runFork(
            Effect.withMaxOpsBeforeYield(Effect.exit(LeaseMap.use(map, "b", Effect.succeed)), 12),
            {
              scheduler: schedulerOf((turn) => turns.push(turn))
            }
          )
          const go = (): Effect.Effect<void> =>
            Effect.zipRight(
              Effect.sync(() => turns.shift()?.()),
              settle
            )
          yield* Effect.repeatN(go(), k)
          yield* end === "a lease ends" ? a.end : close
          // A build for it takes turns of other fibers.
          yield* settle
          while (turns.length > 0) yield* go()
          const exit = Exit.flatten(
            Option.getOrThrowWith(yield* Fiber.poll(b), () => new Error(`it still waits, after ${k} turns`))
          )
          const got = Exit.match(exit, { onFailure: Cause.squash, onSuccess: (value) => value })
          if (end === "a lease ends") assert.strictEqual(got, "b", `after ${k} turns`)
          else assert.strictEqual((got as LeaseMap.LeaseError).reason, "Closed", `after ${k} turns`)
          yield* a.end
          yield* close
        }
      })
    )
  }

  it.scoped("a queued waiter is interrupted when the scope of the lease closes", () =>
    Effect.gen(function* () {
      const { map } = yield* ledgerMap({ maxEntries: 1, acquireTimeout: Duration.infinity })
      yield* lease(map, "a")
      const scope = yield* Scope.make()
      const b = yield* Effect.fork(Scope.extend(LeaseMap.get(map, "b"), scope))
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(b)))
      assert.strictEqual((yield* LeaseMap.stats(map)).waiting, 0)
    })
  )
})
