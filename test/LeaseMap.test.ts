import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { AsyncLocalStorage } from "node:async_hooks"
import { setTimeout as delay } from "node:timers/promises"
import { assert } from "vitest"
import * as LeaseMap from "../src/LeaseMap.ts"

/** What was built and released, in order, as `key#n`: the n-th build of that key. */
class Ledger {
  readonly built: Array<string> = []
  readonly released: Array<string> = []
  private readonly counts = new Map<string, number>()

  next(key: string): string {
    const n = (this.counts.get(key) ?? 0) + 1
    this.counts.set(key, n)
    return `${key}#${n}`
  }
  readonly lookup = (key: string): Effect.Effect<string, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const name = this.next(key)
        this.built.push(name)
        return name
      }),
      (name) => Effect.sync(() => this.released.push(name))
    )
}

type MapOptions<E> = Partial<LeaseMap.Options<string, string, E, Scope.Scope>>

const ledgerMap = (options: MapOptions<never> = {}) =>
  Effect.gen(function* () {
    const ledger = new Ledger()
    const map = yield* LeaseMap.make({ lookup: ledger.lookup, ...options })
    return { ledger, map }
  })

/** A lease that ends when `end` runs. */
const lease = <K, A, E>(map: LeaseMap.LeaseMap<K, A, E>, key: K) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const value = yield* LeaseMap.get(map, key).pipe(Scope.extend(scope))
    return { value, end: Scope.close(scope, Exit.void) }
  })

/** Lets all that is ready run. */
const settle = Effect.promise(() => delay(1))

/** A map in a scope of its own. */
const closeable = <K, A, E>(options: LeaseMap.Options<K, A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const map = yield* LeaseMap.make(options).pipe(Scope.extend(scope))
    return { map, close: Scope.close(scope, Exit.void) }
  })

const fibers = () => Array.from(Effect.runSync(Fiber.roots)).length

/** `p` synchronous operations, so that the automatic yield after 2,048 of them lands anywhere in what follows. */
const steps = (p: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    let i = 0
    return Effect.whileLoop({ while: () => i < p, body: () => Effect.void, step: () => void i++ })
  })

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

const range = (from: number, to: number, step = 1): Array<number> =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step)

describe("one construction", () => {
  it("the harness sees RcMap's own stampede", async () => {
    assert.isAbove((await stampedes(bare, range(1990, 2040))).length, 0)
    assert.isAbove((await stampedes(bare, range(0, 120), 100)).length, 0)
  })

  it("rcmap-1: three fibers share one value wherever the automatic yield lands", async () => {
    assert.deepStrictEqual(await stampedes(ours, range(0, 2100)), [])
  })

  it("rcmap-1: and wherever shorter op budgets cut", async () => {
    for (const maxOps of range(20, 200, 15)) {
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

  it.scoped("what is being built while it is invalidated goes to those who wait for it, and to nobody else", () =>
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

describe("failures", () => {
  it.scoped("rcmap-3: a failed build is not remembered, and all who wait get it", () =>
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

  it.scoped("what a failed build had acquired is released", () =>
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

  it.scoped("a build that nobody waits for any more is interrupted, though the getter's scope stays open", () =>
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

  it.scoped("a build given up that would not stop is released when it is done", () =>
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

  it.scoped("those who wait are let in first come first served, all of one key together", () =>
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

  it.scoped("a failed build makes room for who waits", () =>
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
})

const Tenant = Context.GenericTag<string>("test/Tenant")

describe("the value's world", () => {
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

describe("idle time", () => {
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

const handleMap = (options: MapOptions<never> = {}) =>
  Effect.gen(function* () {
    const ledger = new Ledger()
    const handles: Array<LeaseMap.Handle> = []
    const map = yield* LeaseMap.make({
      ...options,
      lookup: (key: string, self) =>
        Effect.zipRight(
          Effect.sync(() => handles.push(self)),
          ledger.lookup(key)
        )
    })
    yield* LeaseMap.use(map, "k", () => Effect.sync(() => handles[0]?.retain()))
    const [handle] = handles
    if (handle === undefined) return yield* Effect.dieMessage("no handle")
    return { handle, ledger, map }
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

  it.scoped("is told of a generation that is never reused", () =>
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

  it.live("rcmap-7: values are closed in parallel, leased or not", () =>
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
      const [time] = yield* Effect.timed(close)
      assert.isAtLeast(Duration.toMillis(time), 290)
      assert.isBelow(Duration.toMillis(time), 900)
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

  it.live("a finalizer that hangs is waited for no longer than drainTimeout, at release and at close", () =>
    Effect.gen(function* () {
      const { close, map } = yield* closeable({
        drainTimeout: 50,
        idleTimeToLive: 0,
        lookup: () => Effect.addFinalizer(() => Effect.never)
      })
      yield* LeaseMap.use(map, "k", () => Effect.void)
      const outer = yield* Scope.make()
      yield* LeaseMap.get(map, "k").pipe(Scope.extend(outer))
      yield* LeaseMap.get(map, "l").pipe(Scope.extend(outer))
      const [time] = yield* Effect.timed(close)
      assert.isBelow(Duration.toMillis(time), 2000)
      assert.strictEqual((yield* LeaseMap.stats(map)).released, 3)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.live("those who wait for a build or for room are told that the map is closed", () =>
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

describe("what stays behind", () => {
  for (const options of [{ idleTimeToLive: 0 }, { capacity: 100 }]) {
    it.live(`churned keys leave no entries, fibers or heap: ${JSON.stringify(options)}`, () =>
      Effect.gen(function* () {
        const gc = globalThis.gc
        if (gc === undefined) return yield* Effect.dieMessage("run with --expose-gc")
        // CHURN=100000 for the long run.
        const total = Number(process.env["CHURN"] ?? 10_000)
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
        assert.isBelow(after[0] - before[0], 2_000_000)
        assert.isAtMost(after[1], before[1] + 5)
      }).pipe(Effect.scoped)
    )
  }

  it.scoped("what an event listener throws changes nothing", () =>
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
