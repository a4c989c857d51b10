import { describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { AsyncLocalStorage } from "node:async_hooks"
import { setTimeout as delay } from "node:timers/promises"
import { assert } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"
import { fibers } from "./fibers.ts"
import { ledgerMap, range } from "./support.ts"

const Tenant = Context.GenericTag<string>("test/Tenant")

describe("the value's context", () => {
  it.scoped("rcmap-5: services, FiberRefs, clock and async context are those of make", () =>
    Effect.gen(function* () {
      const als = new AsyncLocalStorage<string>()
      const ref = FiberRef.unsafeMake("default")
      const seen: Array<unknown> = []
      const look = Effect.gen(function* () {
        const context = yield* Effect.context<never>()
        seen.push(Context.getOption(context, Tenant).pipe(Option.getOrUndefined))
        seen.push(yield* FiberRef.get(ref), als.getStore(), yield* Clock.currentTimeMillis)
      })
      const map = yield* LeaseMap.make({
        lookup: () =>
          Effect.zipRight(
            look,
            Effect.addFinalizer(() => look)
          ),
        idleTimeToLive: 1000
      }).pipe(Effect.locally(ref, "maker"), Effect.provideService(Tenant, "maker"))
      yield* TestClock.adjust(500)
      // After a yield, and from a task of its own: effect's scheduler is in the getter's async context when the build begins.
      const program = Effect.zipRight(
        Effect.yieldNow(),
        LeaseMap.use(map, "k", () => Effect.void)
      ).pipe(Effect.locally(ref, "getter"), Effect.provideService(Tenant, "getter"), Effect.withClock(Clock.make()))
      yield* Effect.promise(() => delay(1).then(() => als.run("getter", () => Effect.runPromise(program))))
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(seen, ["maker", "maker", undefined, 500])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(seen, ["maker", "maker", undefined, 500, "maker", "maker", undefined, 1500])
    })
  )

  it.live("the first getter's context can be collected while the value lives", () =>
    Effect.gen(function* () {
      const gc = globalThis.gc
      if (gc === undefined) return yield* Effect.dieMessage("run with --expose-gc")
      const { map } = yield* ledgerMap()
      const handles: Array<LeaseMap.Handle> = []
      const retained = yield* LeaseMap.make({ lookup: (_: string, self) => Effect.sync(() => handles.push(self)) })
      const als = new AsyncLocalStorage<object>()
      const ref = FiberRef.unsafeMake<object>({})
      const Tag = Context.GenericTag<object>("test/Secret")
      const go = (): ReadonlyArray<WeakRef<object>> => {
        const [service, local, store] = [{ big: 1 }, { big: 2 }, { big: 3 }]
        const uses = Effect.zipRight(
          LeaseMap.use(map, "k", () => Effect.yieldNow()),
          LeaseMap.use(retained, "k", () => Effect.sync(() => handles[0]?.retain()))
        )
        als.run(store, () => Effect.runFork(uses.pipe(Effect.provideService(Tag, service), Effect.locally(ref, local))))
        return [new WeakRef(service), new WeakRef(local), new WeakRef(store)]
      }
      const refs = go()
      let alive = refs
      for (let i = 0; i < 50 && alive.length > 0; i++) {
        yield* Effect.promise(() => delay(10))
        gc()
        alive = refs.filter((weak) => weak.deref() !== undefined)
      }
      assert.strictEqual(alive.length, 0)
      assert.deepStrictEqual(
        [...(yield* LeaseMap.stats(map)).entries, ...(yield* LeaseMap.stats(retained)).entries].map((e) => e.leases),
        [0, 1]
      )
    }).pipe(Effect.scoped)
  )
})

describe("remains of a map", () => {
  for (const options of [{ idleTimeToLive: 0 }, { capacity: 100 }]) {
    it.live(`churned keys leave no entries, fibers or heap: ${JSON.stringify(options)}`, () =>
      Effect.gen(function* () {
        const gc = globalThis.gc
        if (gc === undefined) return yield* Effect.dieMessage("run with --expose-gc")
        // CHURN=100000 for the long run.
        const total = Number(process.env["CHURN"] ?? 6_000)
        const { map } = yield* ledgerMap({ lookup: Effect.succeed, ...options })
        const churn = (from: number, to: number) =>
          Effect.forEach(range(from, to), (n) => LeaseMap.use(map, `key ${n}`, () => Effect.void), { discard: true })
        const heap = async () => {
          await delay(20)
          gc()
          return process.memoryUsage().heapUsed
        }
        yield* churn(1, 2000)
        const before = [yield* Effect.promise(heap), fibers()] as const
        yield* churn(2001, total)
        const after = [yield* Effect.promise(heap), fibers()] as const
        const { built, entries, released } = yield* LeaseMap.stats(map)
        const kept = options.capacity ?? 0
        assert.deepStrictEqual([entries.length, built, released], [kept, total, total - kept])
        assert.isBelow(after[0] - before[0], 1_000_000)
        assert.isAtMost(after[1], before[1] + 5)
      }).pipe(Effect.scoped)
    )
  }

  it.scoped("an event listener that throws changes nothing", () =>
    Effect.gen(function* () {
      const { ledger, map } = yield* ledgerMap({
        idleTimeToLive: 0,
        onEvent: () => {
          throw new Error("listener")
        }
      })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      assert.deepStrictEqual(ledger.released, ["k#1"])
    })
  )
})
