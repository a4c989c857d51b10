import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { setTimeout as delay } from "node:timers/promises"
import { assert } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"
import { fibers } from "./fibers.ts"
import { Ledger, settle, closeable, range } from "./support.ts"

describe("interruption at any moment", () => {
  const builds = {
    "at once": () => Effect.void,
    "after a while": () => Effect.promise(() => delay(1)),
    never: () => Effect.never
  }
  for (const [name, build] of Object.entries(builds)) {
    it.live(`leaves nothing behind where a build ends ${name}`, () =>
      Effect.gen(function* () {
        const before = fibers()
        for (const microtasks of range(0, 24)) {
          const ledger = new Ledger()
          const { close, map } = yield* closeable({
            idleTimeToLive: 0,
            lookup: (key: string) => Effect.zipLeft(ledger.lookup(key), build())
          })
          yield* Effect.promise(async () => {
            const getter = Effect.runFork(Effect.scoped(LeaseMap.get(map, "k")))
            for (let i = 0; i < microtasks; i++) await Promise.resolve()
            getter.unsafeInterruptAsFork(getter.id())
          })
          for (let i = 0; i < 3; i++) yield* settle
          const { built, entries, failed, misses, released } = yield* LeaseMap.stats(map)
          assert.deepStrictEqual(entries, [], `entries after ${microtasks}`)
          assert.deepStrictEqual(ledger.released, ledger.built, `ledger after ${microtasks}`)
          assert.deepStrictEqual([misses, released], [built + failed, built], `totals after ${microtasks}`)
          assert.isAtMost(fibers(), before, `fibers after ${microtasks}`)
          yield* close
        }
      })
    )
  }

  it.live("a build whose last getter leaves as it ends is released", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const getters: Array<Fiber.RuntimeFiber<string, LeaseMap.LeaseError>> = []
      const leave = Effect.sync(() => getters[0]?.unsafeInterruptAsFork(getters[0].id()))
      const map = yield* LeaseMap.make({ lookup: (key: string) => Effect.zipLeft(ledger.lookup(key), leave) })
      getters.push(Effect.runFork(Effect.scoped(LeaseMap.get(map, "k"))))
      for (let i = 0; i < 3; i++) yield* settle
      assert.deepStrictEqual([ledger.built, ledger.released], [["k#1"], ["k#1"]])
      assert.deepStrictEqual((yield* LeaseMap.stats(map)).entries, [])
    }).pipe(Effect.scoped)
  )

  it.live("a getter whose scope closes as its build ends gets the value or is interrupted", () =>
    Effect.gen(function* () {
      for (const microtasks of range(0, 24)) {
        const ledger = new Ledger()
        const scope = yield* Scope.make()
        const { close, map } = yield* closeable({ idleTimeToLive: 0, lookup: ledger.lookup })
        const getter = yield* Effect.promise(async () => {
          const getter = Effect.runFork(Scope.extend(LeaseMap.get(map, "k"), scope))
          for (let i = 0; i < microtasks; i++) await Promise.resolve()
          Effect.runFork(Scope.close(scope, Exit.void))
          return getter
        })
        for (let i = 0; i < 3; i++) yield* settle
        const exit = Option.getOrUndefined(yield* Fiber.poll(getter))
        assert.isDefined(exit, `it waits after ${microtasks}`)
        assert.isTrue(Exit.isSuccess(exit) || Exit.isInterrupted(exit), `${String(exit)} after ${microtasks}`)
        assert.deepStrictEqual(ledger.released, ledger.built, `ledger after ${microtasks}`)
        yield* close
      }
    })
  )

  it.live("no timer is forgotten when leases and invalidations follow each other without a pause", () =>
    Effect.gen(function* () {
      const handles: Array<LeaseMap.Handle> = []
      const map = yield* LeaseMap.make({
        lookup: (_: string, self) => Effect.sync(() => void (handles[0] = self))
      })
      const before = fibers()
      for (const times of range(0, 20)) {
        yield* LeaseMap.use(map, "k", () => Effect.void)
        for (let i = 0; i < times % 3; i++) {
          assert.isTrue(handles[0]?.retain())
          handles[0]?.release()
        }
        if (times % 2 === 0) yield* settle
        yield* LeaseMap.invalidate(map, "k")
      }
      yield* settle
      assert.isAtMost(fibers(), before)
    }).pipe(Effect.scoped)
  )

  it.scoped("a get made in the moment in which a build fails builds anew", () =>
    Effect.gen(function* () {
      const again: Array<Fiber.RuntimeFiber<string, string | LeaseMap.LeaseError>> = []
      let builds = 0
      const map: LeaseMap.LeaseMap<unknown, string, string> = yield* LeaseMap.make({
        lookup: () => Effect.suspend(() => (++builds === 1 ? Effect.fail("first") : Effect.succeed("second"))),
        onEvent: ({ _tag }) => {
          if (_tag === "Failed") again.push(Effect.runFork(LeaseMap.use(map, "k", Effect.succeed)))
        }
      })
      assert.strictEqual(yield* Effect.flip(LeaseMap.get(map, "k")), "first")
      assert.deepStrictEqual(yield* Fiber.joinAll(again), ["second"])
    })
  )
})
