import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"
import { draws } from "../support/draws.ts"

type Key = "a" | "b" | "c"
type Plan = "now" | "slow" | "fails" | "fails slowly"

type Op =
  | { readonly _tag: "Get"; readonly key: Key; readonly plan: Plan }
  | { readonly _tag: "Release" | "Interrupt"; readonly which: number }
  | { readonly _tag: "Invalidate" | "Retain" | "ReleaseHandle"; readonly key: Key }
  | { readonly _tag: "Wait"; readonly ms: number }
  | { readonly _tag: "Close" }

interface Setup {
  readonly idleTimeToLive: number
  readonly capacity: number
}

const key = fc.constantFrom<Key>("a", "b", "c")
const tagged = <const T extends string>(tag: T) => fc.constant(tag)
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      _tag: tagged("Get"),
      key,
      plan: fc.constantFrom<Plan>("now", "now", "slow", "fails", "fails slowly")
    })
  },
  { weight: 10, arbitrary: fc.record({ _tag: tagged("Release"), which: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ _tag: tagged("Interrupt"), which: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      _tag: fc.constantFrom("Invalidate" as const, "Retain" as const, "ReleaseHandle" as const),
      key
    })
  },
  { weight: 8, arbitrary: fc.record({ _tag: tagged("Wait"), ms: fc.constantFrom(1, 4, 5, 9, 10, 11) }) },
  { weight: 1, arbitrary: fc.record({ _tag: tagged("Close") }) }
)
const setup: fc.Arbitrary<Setup> = fc.record({
  idleTimeToLive: fc.constantFrom(0, 10, Infinity),
  capacity: fc.constantFrom(0, 1, 2, Infinity)
})

const slowly = 5

/** Time that passes on command. */
class Time {
  now = 0
  private readonly sleepers = new Set<{ readonly at: number; readonly wake: () => void }>()
  readonly clock: Clock.Clock = Object.assign(Clock.make(), {
    unsafeCurrentTimeMillis: () => this.now,
    currentTimeMillis: Effect.sync(() => this.now),
    sleep: (duration: Duration.Duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { at: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        this.sleepers.add(sleeper)
        return Effect.sync(() => this.sleepers.delete(sleeper))
      })
  })
  async pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) {
      this.now++
      for (const sleeper of this.sleepers) {
        if (sleeper.at > this.now) continue
        this.sleepers.delete(sleeper)
        sleeper.wake()
      }
      await settle()
    }
  }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A generation as it should be. */
interface Value {
  readonly id: number
  readonly key: Key
  readonly plan: Plan
  readonly since: number
  state: "building" | "ready" | "released" | "failed" | "given up"
  doomed: boolean
  idleSince: number
  leases: number
}

class Model {
  readonly values: Array<Value> = []
  readonly current = new Map<Key, Value>()
  closed = false
  private readonly setup: Setup
  constructor(setup: Setup) {
    this.setup = setup
  }

  private live(): Array<Value> {
    return this.values.filter((value) => value.state === "building" || value.state === "ready")
  }
  private idle(): Array<Value> {
    return this.live().filter((value) => value.leases === 0)
  }
  private end(value: Value, state: Value["state"]): void {
    value.state = state
    if (this.current.get(value.key) === value) this.current.delete(value.key)
  }
  private order = 0
  private readonly lastUse = new Map<Value, number>()
  private trim(): void {
    while (this.live().length > this.setup.capacity) {
      const [oldest] = this.idle().sort((a, b) => (this.lastUse.get(a) ?? 0) - (this.lastUse.get(b) ?? 0))
      if (oldest === undefined) return
      this.end(oldest, "released")
    }
  }
  get(key: Key, plan: Plan, now: number): Value | undefined {
    if (this.closed) return undefined
    const found = this.current.get(key)
    if (found !== undefined) {
      found.leases++
      return found
    }
    const id = this.values.length + 1
    const value: Value = { id, key, plan, since: now, state: "building", doomed: false, idleSince: 0, leases: 1 }
    this.values.push(value)
    this.current.set(key, value)
    this.trim()
    this.pass(now)
    return value
  }
  give(value: Value, now: number): void {
    if (value.state !== "building" && value.state !== "ready") return
    value.leases--
    if (value.leases > 0) return
    if (value.state === "building") return this.end(value, "given up")
    value.idleSince = now
    this.lastUse.set(value, ++this.order)
    if (value.doomed || this.setup.idleTimeToLive === 0) this.end(value, "released")
    this.trim()
  }
  invalidate(key: Key): void {
    const value = this.current.get(key)
    if (value === undefined) return
    this.current.delete(key)
    if (value.leases > 0) value.doomed = true
    else this.end(value, "released")
  }
  pass(now: number): void {
    for (const value of this.live()) {
      const slow = value.plan === "slow" || value.plan === "fails slowly"
      if (value.state === "building" && now >= value.since + (slow ? slowly : 0)) {
        if (value.plan === "now" || value.plan === "slow") value.state = "ready"
        else this.end(value, "failed")
      }
      if (value.state === "ready" && value.leases === 0 && now >= value.idleSince + this.setup.idleTimeToLive) {
        this.end(value, "released")
      }
    }
  }
  close(): void {
    this.closed = true
    for (const value of this.live()) this.end(value, value.state === "ready" ? "released" : "given up")
  }
}

interface Getter {
  readonly expected: Value | undefined
  readonly fiber: Fiber.RuntimeFiber<number, unknown>
  readonly scope: Scope.CloseableScope
}

const play = async (setup: Setup, ops: ReadonlyArray<Op>): Promise<void> => {
  const time = new Time()
  const model = new Model(setup)
  const built: Array<number> = []
  const released: Array<number> = []
  const handles = new Map<number, LeaseMap.Handle>()
  const retained = new Map<Key, { readonly handle: LeaseMap.Handle; readonly value: Value }>()
  let plan: Plan = "now"

  const lookup = (_: Key, self: LeaseMap.Handle) =>
    Effect.suspend(() => {
      const mine = plan
      const id = self.generation
      return Effect.gen(function* () {
        if (mine === "slow" || mine === "fails slowly") yield* Effect.sleep(slowly)
        if (mine === "fails" || mine === "fails slowly") return yield* Effect.fail("planned")
        yield* Effect.acquireRelease(
          Effect.sync(() => built.push(id)),
          () =>
            Effect.sync(() => {
              const value = model.values[id - 1]
              assert.isTrue(value !== undefined && (value.leases === 0 || model.closed), `#${id} released while leased`)
              released.push(id)
            })
        )
        handles.set(id, self)
        return id
      })
    })

  const mapScope = Effect.runSync(Scope.make())
  const map = Effect.runSync(
    LeaseMap.make({ lookup, ...setup }).pipe(Scope.extend(mapScope), Effect.withClock(time.clock))
  )
  let getters: Array<Getter> = []

  const check = async (after: string): Promise<void> => {
    await settle()
    const ids = (...states: ReadonlyArray<Value["state"]>) =>
      model.values.filter((value) => states.includes(value.state)).map((value) => value.id)
    assert.deepStrictEqual(
      [...built].sort((a, b) => a - b),
      ids("ready", "released"),
      `built after ${after}`
    )
    assert.deepStrictEqual(
      [...released].sort((a, b) => a - b),
      ids("released"),
      `released after ${after}`
    )
    const stats = Effect.runSync(LeaseMap.stats(map))
    assert.deepStrictEqual(
      stats.entries.map((entry) => [entry.generation, entry.leases]).sort(([a = 0], [b = 0]) => a - b),
      model.values.filter((v) => v.state === "building" || v.state === "ready").map((v) => [v.id, v.leases]),
      `entries after ${after}`
    )
    for (const { expected, fiber } of getters) {
      const exit = fiber.unsafePoll()
      if (expected === undefined) assert.isTrue(exit !== null && Exit.isFailure(exit), `closed after ${after}`)
      else if (expected.state === "building") assert.isNull(exit, `waits after ${after}`)
      else if (expected.state === "ready") {
        assert.deepStrictEqual(
          exit === null ? undefined : Exit.getOrElse(exit, () => 0),
          expected.id,
          `got after ${after}`
        )
      }
    }
  }
  /** Gives back only leases that are held: a failed or interrupted build holds none, and a closed map counts none. */
  const end = async (getter: Getter): Promise<void> => {
    const { expected, fiber, scope } = getter
    getters = getters.filter((other) => other !== getter)
    if (expected !== undefined) model.give(expected, time.now)
    await Effect.runPromise(Effect.zipRight(Fiber.interrupt(fiber), Scope.close(scope, Exit.void)))
  }

  const step = async (op: Op): Promise<void> => {
    switch (op._tag) {
      case "Get": {
        const expected = model.get(op.key, op.plan, time.now)
        plan = op.plan
        const scope = Effect.runSync(Scope.make())
        const fiber = Effect.runFork(LeaseMap.get(map, op.key).pipe(Scope.extend(scope)))
        getters.push({ expected, fiber, scope })
        return settle()
      }
      case "Release":
      case "Interrupt": {
        const waiting = op._tag === "Interrupt"
        const candidates = getters.filter(({ fiber }) => (fiber.unsafePoll() === null) === waiting)
        const getter = candidates[op.which % Math.max(candidates.length, 1)]
        return getter === undefined ? undefined : end(getter)
      }
      case "Invalidate":
        model.invalidate(op.key)
        return Effect.runPromise(LeaseMap.invalidate(map, op.key))
      case "Retain": {
        const value = model.values.findLast((v) => v.key === op.key && handles.has(v.id))
        const handle = value === undefined ? undefined : handles.get(value.id)
        if (value === undefined || handle === undefined || retained.has(op.key)) return
        const open = value.state === "ready"
        if (open) {
          value.leases++
          retained.set(op.key, { handle, value })
        }
        assert.strictEqual(handle.retain(), open, `retain #${value.id}`)
        return
      }
      case "ReleaseHandle": {
        const held = retained.get(op.key)
        if (held === undefined) return
        retained.delete(op.key)
        model.give(held.value, time.now)
        return held.handle.release()
      }
      case "Wait":
        for (let i = 0; i < op.ms; i++) {
          const passing = time.pass(1)
          model.pass(time.now)
          await passing
        }
        return
      case "Close":
        model.close()
        return Effect.runPromise(Scope.close(mapScope, Exit.void))
    }
  }

  for (const [index, op] of ops.entries()) {
    await step(op)
    await check(`${index}: ${JSON.stringify(op)}`)
  }
  model.close()
  await Effect.runPromise(Scope.close(mapScope, Exit.void))
  await check("the end")
  assert.strictEqual(new Set(released).size, released.length, "nothing is released twice")
  assert.isTrue(Option.isNone(Option.fromNullable(built.find((id) => !released.includes(id)))), "all is released")
}

describe("LeaseMap against a model", () => {
  it("any interleaving builds, leases and releases as the model does", async () => {
    await fc.assert(fc.asyncProperty(setup, fc.array(op, { minLength: 1, maxLength: 30, size: "max" }), play), {
      numRuns: draws(300)
    })
  }, 180_000)
})
