import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { assert } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"
import { mended } from "../history/mended.ts"
import { isNight } from "../support/draws.ts"
import { Ledger, ledgerMap, settle, steps, range } from "./support.ts"

type MakeGet = (ledger: Ledger) => Effect.Effect<Effect.Effect<string, unknown, Scope.Scope>, never, Scope.Scope>

const bare: MakeGet = ({ lookup }) => Effect.map(RcMap.make({ lookup }), (map) => RcMap.get(map, "k"))
const ours: MakeGet = ({ lookup }) => Effect.map(LeaseMap.make({ lookup }), (map) => LeaseMap.get(map, "k"))

/** The offsets at which three fibers that get one key at once do not share one value, or do not see it released. */
const stampedes = async (make: MakeGet, offsets: ReadonlyArray<number>, maxOps = 2048): Promise<Array<number>> => {
  const bad: Array<number> = []
  for (const p of offsets) {
    const ledger = new Ledger()
    const program = Effect.scoped(
      Effect.flatMap(make(ledger), (get) =>
        Effect.scoped(
          Effect.all(
            [1, 2, 3].map(() => Effect.zipRight(steps(p), get)),
            { concurrency: "unbounded", discard: true }
          )
        )
      )
    )
    await Effect.runPromise(Effect.withMaxOpsBeforeYield(program, maxOps))
    if (ledger.built.length !== 1 || ledger.released.length !== 1) bad.push(p)
  }
  return bad
}

describe("one construction", () => {
  it("the harness sees RcMap's own stampede, if it has one", async () => {
    const isMended = [...mended].some((name) => name.startsWith("stampede"))
    assert.strictEqual((await stampedes(bare, range(1990, 2040))).length === 0, isMended)
    assert.strictEqual((await stampedes(bare, range(0, 120), 100)).length === 0, isMended)
  })

  it("rcmap-1: three fibers share one value wherever the automatic yield lands", async () => {
    // An acquisition is over in some 60 operations: by day the yield lands in it, before and behind it, at night anywhere.
    assert.deepStrictEqual(await stampedes(ours, range(isNight ? 0 : 1_800, 2_100)), [])
  })

  it("rcmap-1: and wherever shorter op budgets cut", async () => {
    for (const maxOps of range(20, 200, isNight ? 15 : 45)) {
      assert.deepStrictEqual(await stampedes(ours, range(0, maxOps), maxOps), [], `maxOps ${maxOps}`)
    }
  })

  it.scoped("an op budget of ten, also where the map is made, changes nothing", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({ idleTimeToLive: 1000 })
      yield* Effect.all(
        Array.from({ length: 20 }, () => LeaseMap.use(map, "k", () => Effect.yieldNow())),
        {
          concurrency: "unbounded"
        }
      )
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(ledger, Object.assign(new Ledger(), ledger, { built: ["k#1"], released: ["k#1"] }))
    }).pipe(Effect.withMaxOpsBeforeYield(10))
  )

  it.scoped("equal keys are one key", () =>
    Effect.gen(function* () {
      let builds = 0
      const map = yield* LeaseMap.make({
        lookup: (key: { readonly url: string }) => Effect.sync(() => `${key.url} ${++builds}`)
      })
      const first = yield* LeaseMap.get(map, Data.struct({ url: "a" }))
      assert.strictEqual(yield* LeaseMap.get(map, Data.struct({ url: "a" })), first)
      assert.strictEqual(yield* LeaseMap.get(map, Data.struct({ url: "b" })), "b 2")
    })
  )
})

describe("failures", () => {
  it.scoped("rcmap-3: a failed build is not cached, and all waiters get it", () =>
    Effect.gen(function* () {
      let builds = 0
      const events: Array<string> = []
      const map = yield* LeaseMap.make({
        lookup: () =>
          Effect.zipRight(
            Effect.sleep(10),
            Effect.suspend(() => (++builds === 1 ? Effect.fail("first" as const) : Effect.succeed(builds)))
          ),
        onEvent: (event) => events.push(event._tag)
      })
      const waiters = yield* Effect.fork(
        Effect.all([LeaseMap.get(map, "k"), LeaseMap.get(map, "k")].map(Effect.flip), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.join(waiters), ["first", "first"])
      const again = yield* Effect.fork(LeaseMap.get(map, "k"))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(again), 2)
      assert.deepStrictEqual(events, ["Miss", "Hit", "Failed", "Miss", "Built"])
      const stats = yield* LeaseMap.stats(map)
      assert.deepStrictEqual([stats.failed, stats.built, stats.entries.length], [1, 1, 1])
    })
  )

  it.scoped("a defect, an interruption from inside and a lookup that throws reach the waiter and are forgotten", () =>
    Effect.gen(function* () {
      const ends = [
        () => Effect.die("defect"),
        () => Effect.interrupt,
        () => {
          throw new Error("thrown")
        }
      ]
      let builds = 0
      const map = yield* LeaseMap.make({
        lookup: () => ends[builds++]?.() ?? Effect.succeed("good")
      })
      // In fibers of their own, since an interruption would be taken for ours.
      const next = Effect.flatMap(Effect.fork(LeaseMap.use(map, "k", Effect.succeed)), Fiber.await)
      const exits = yield* Effect.all([next, next, next, next])
      const causes = exits.map((exit) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit.value))
      assert.strictEqual(causes[0], "defect")
      assert.isTrue(Exit.isFailure(exits[1]) && Cause.isInterruptedOnly(exits[1].cause))
      assert.match(String(causes[2]), /thrown/)
      assert.strictEqual(causes[3], "good")
    })
  )

  it.scoped("resources of a failed build are released", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const map = yield* LeaseMap.make({
        lookup: (key: string) => Effect.zipRight(ledger.lookup(key), Effect.fail("no"))
      })
      yield* Effect.flip(LeaseMap.get(map, "k"))
      yield* settle
      assert.deepStrictEqual(ledger.released, ["k#1"])
    })
  )

  it.scoped("an interrupted first getter does not fail the others", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const map = yield* LeaseMap.make({
        lookup: (key: string) => Effect.zipRight(Effect.sleep(10), ledger.lookup(key))
      })
      const first = yield* Effect.fork(LeaseMap.get(map, "k"))
      const second = yield* Effect.fork(LeaseMap.get(map, "k"))
      yield* settle
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(second), "k#1")
    })
  )

  it.scoped("a build without waiters is interrupted, though the getter's scope stays open", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const map = yield* LeaseMap.make({
        lookup: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      })
      const getters = yield* Effect.all([1, 2].map(() => Effect.forkDaemon(LeaseMap.get(map, "k"))))
      yield* settle
      for (const [index, getter] of getters.entries()) {
        assert.strictEqual(interrupted, 0, `before getter ${index}`)
        yield* Fiber.interrupt(getter)
        yield* settle
      }
      assert.strictEqual(interrupted, 1)
      assert.deepStrictEqual((yield* LeaseMap.stats(map)).entries, [])
    })
  )

  it.scoped("an uninterruptible build without waiters is released when it is done", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const map = yield* LeaseMap.make({
        lookup: (key: string) => Effect.uninterruptible(Effect.zipRight(Effect.sleep(10), ledger.lookup(key)))
      })
      const getter = yield* Effect.fork(LeaseMap.get(map, "k"))
      yield* settle
      yield* Fiber.interrupt(getter)
      const next = yield* Effect.fork(LeaseMap.get(map, "k"))
      yield* TestClock.adjust(10)
      yield* settle
      // Both end in the same instant, in whichever order.
      assert.strictEqual(ledger.released.length, 1)
      const [released] = ledger.released
      assert.deepStrictEqual([...ledger.built].sort(), ["k#1", "k#2"])
      assert.notStrictEqual(yield* Fiber.join(next), released)
    })
  )
})
