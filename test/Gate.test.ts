import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Gate from "../src/internal/gate.ts"

const open = { requestsPerMinute: Infinity, maxConcurrency: Infinity }

/** Lets promises that are due settle. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Enters, and notes the name when it passes. */
const queue = (gate: Gate.Gate, passed: Array<string>, name: string, signal?: AbortSignal): Promise<void> =>
  gate.enter(signal).then(
    () => void passed.push(name),
    () => undefined
  )

describe("the gate of a credential", () => {
  it("lets everybody pass where nothing is limited", async () => {
    const gate = Gate.make(open)
    for (let i = 0; i < 1_000; i++) assert.isTrue(gate.tryEnter())
    await gate.enter(undefined)
    assert.strictEqual(gate.stats().inFlight, 1_001)
  })

  it("passes waiters in the order in which they came, and lets nobody jump the queue", async () => {
    const gate = Gate.make({ ...open, maxConcurrency: 1 })
    const passed: Array<string> = []
    assert.isTrue(gate.tryEnter())
    for (const name of ["a", "b", "c"]) void queue(gate, passed, name)
    assert.isFalse(gate.tryEnter())
    for (const expected of [["a"], ["a", "b"], ["a", "b", "c"]]) {
      gate.leave()
      assert.isFalse(gate.tryEnter(), "the permit belongs to the one who waited")
      await settle()
      assert.deepStrictEqual(passed, expected)
    }
    gate.leave()
    assert.deepStrictEqual({ ...gate.stats(), limits: undefined }, { inFlight: 0, queued: 0, limits: undefined })
  })

  it("a waiter who gives up costs no permit and holds up nobody", async () => {
    const gate = Gate.make({ ...open, maxConcurrency: 1 })
    const passed: Array<string> = []
    gate.tryEnter()
    const controller = new AbortController()
    const gone = gate.enter(controller.signal)
    void queue(gate, passed, "next")
    const reason = new Error("enough")
    controller.abort(reason)
    assert.strictEqual(await gone.catch((error: unknown) => error), reason)
    assert.strictEqual(gate.stats().queued, 1)
    gate.leave()
    await settle()
    assert.deepStrictEqual(passed, ["next"])
    assert.strictEqual(await gate.enter(AbortSignal.abort(reason)).catch((error: unknown) => error), reason)
    assert.strictEqual(gate.stats().inFlight, 1)
  })

  it("a signal that aborts later does nothing to one who has passed", async () => {
    const gate = Gate.make({ ...open, maxConcurrency: 1 })
    const controller = new AbortController()
    await gate.enter(controller.signal)
    controller.abort()
    assert.deepStrictEqual([gate.stats().inFlight, gate.stats().queued], [1, 0])
  })

  it("spaces departures evenly, and saves nothing up while idle", () => {
    let now = 0
    const gate = Gate.make({ ...open, requestsPerMinute: 60 }, () => now)
    const departures: Array<number> = []
    for (; now < 5_000; now += 100) if (gate.tryEnter()) departures.push(now)
    assert.deepStrictEqual(departures, [0, 1_000, 2_000, 3_000, 4_000])
    now = 100_000
    assert.deepStrictEqual([gate.tryEnter(), gate.tryEnter()], [true, false])
  })

  it("wakes paced waiters when they are due", async () => {
    const gate = Gate.make({ ...open, requestsPerMinute: 60_000 / 20 })
    const start = performance.now()
    const at: Array<number> = []
    await Promise.all(
      Array.from({ length: 6 }, () => gate.enter(undefined).then(() => void at.push(performance.now() - start)))
    )
    // Earlier than its due time none may be; later is the machine's business.
    at.forEach((time, i) => assert.isAtLeast(time, 20 * i - 1))
    assert.isBelow(at[5]!, 5_000)
  })

  it("a paced waiter who gives up leaves his place to the next, at its own time", async () => {
    const gate = Gate.make({ ...open, requestsPerMinute: 60_000 / 50 })
    const start = performance.now()
    gate.tryEnter()
    const controller = new AbortController()
    const gone = gate.enter(controller.signal).catch(() => "gone")
    const next = gate.enter(undefined).then(() => performance.now() - start)
    controller.abort(new Error("enough"))
    assert.strictEqual(await gone, "gone")
    const time = await next
    assert.isAtLeast(time, 49)
    assert.strictEqual(gate.stats().inFlight, 2, "one left without a permit")
  })

  it("new limits hold at once, for waiters too", async () => {
    const gate = Gate.make({ ...open, maxConcurrency: 1 })
    const passed: Array<string> = []
    gate.tryEnter()
    for (const name of ["a", "b", "c"]) void queue(gate, passed, name)
    gate.limit({ ...open, maxConcurrency: 3 })
    await settle()
    assert.deepStrictEqual(passed, ["a", "b"])
    gate.limit({ ...open, maxConcurrency: 1 })
    gate.leave()
    gate.leave()
    await settle()
    assert.deepStrictEqual(passed, ["a", "b"])
    gate.leave()
    await settle()
    assert.deepStrictEqual(passed, ["a", "b", "c"])
  })

  it("a faster pace is not waited for at the slower one's time", async () => {
    for (const faster of [Infinity, 6_000]) {
      const gate = Gate.make({ ...open, requestsPerMinute: 1 })
      gate.tryEnter()
      const waiting = gate.enter(undefined)
      gate.limit({ ...open, requestsPerMinute: faster })
      await waiting
      assert.strictEqual(gate.stats().queued, 0)
    }
  })

  it("reaches rates that are higher than timers fire", async () => {
    const gate = Gate.make({ ...open, requestsPerMinute: 600_000 })
    const start = performance.now()
    await Promise.all(Array.from({ length: 4_000 }, () => gate.enter(undefined)))
    const took = performance.now() - start
    assert.isAtLeast(took, 390)
    assert.isBelow(took, 3_000, "a timer for each would take 4 s and more")
  })

  it("keeps what has fallen due for those who wait, not for who comes along", async () => {
    let now = 0
    const gate = Gate.make({ ...open, requestsPerMinute: 60 }, () => now)
    assert.isTrue(gate.tryEnter())
    const controller = new AbortController()
    const waiting = gate.enter(controller.signal).catch(() => "gave up")
    now = 1_000
    assert.isFalse(gate.tryEnter())
    controller.abort(new Error("enough"))
    assert.strictEqual(await waiting, "gave up")
    assert.isTrue(gate.tryEnter())
  })

  it("saves nothing up while all permits are taken", async () => {
    let now = 0
    const gate = Gate.make({ requestsPerMinute: 60, maxConcurrency: 1 }, () => now)
    const passed: Array<string> = []
    assert.isTrue(gate.tryEnter())
    for (const name of ["a", "b"]) void queue(gate, passed, name)
    now = 60_000
    gate.leave()
    await settle()
    gate.leave()
    await settle()
    assert.deepStrictEqual(passed, ["a"])
    now = 61_000
    gate.limit({ requestsPerMinute: 60, maxConcurrency: 1 })
    await settle()
    assert.deepStrictEqual(passed, ["a", "b"])
  })

  it("two gates know nothing of each other", async () => {
    const slow = Gate.make({ requestsPerMinute: 1, maxConcurrency: 1 })
    const other = Gate.make({ requestsPerMinute: 1, maxConcurrency: 1 })
    slow.tryEnter()
    const controller = new AbortController()
    const stuck = slow.enter(controller.signal).catch(() => "gave up")
    await other.enter(undefined)
    controller.abort(new Error("enough"))
    assert.strictEqual(await stuck, "gave up")
  })

  it("never lets more pass than allowed, loses no waiter and keeps their order, whatever happens", async () => {
    const step = fc.oneof(
      fc.constant({ do: "enter" as const }),
      fc.constant({ do: "try" as const }),
      fc.constant({ do: "leave" as const }),
      fc.record({ do: fc.constant("abort" as const), which: fc.nat(20) }),
      fc.record({ do: fc.constant("limit" as const), to: fc.integer({ min: 1, max: 4 }) })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        let limit = 2
        const gate = Gate.make({ ...open, maxConcurrency: limit })
        let inside = 0
        let waiting: Array<{ id: number; controller: AbortController }> = []
        const expected: Array<number> = []
        const passed: Array<number> = []
        let ids = 0
        const admit = () => {
          while (inside < limit && waiting.length > 0) {
            inside++
            expected.push(waiting.shift()!.id)
          }
        }
        for (const one of steps) {
          if (one.do === "enter") {
            const id = ids++
            const controller = new AbortController()
            gate.enter(controller.signal).then(
              () => passed.push(id),
              () => undefined
            )
            waiting.push({ id, controller })
          } else if (one.do === "try") {
            const free = waiting.length === 0 && inside < limit
            assert.strictEqual(gate.tryEnter(), free)
            if (free) inside++
          } else if (one.do === "leave" && inside > 0) {
            inside--
            gate.leave()
          } else if (one.do === "abort") {
            const quitter = waiting[one.which]
            waiting = waiting.filter((waiter) => waiter !== quitter)
            quitter?.controller.abort(new Error("enough"))
          } else if (one.do === "limit") {
            limit = one.to
            gate.limit({ ...open, maxConcurrency: limit })
          }
          admit()
          assert.deepStrictEqual([gate.stats().inFlight, gate.stats().queued], [inside, waiting.length])
        }
        await settle()
        assert.deepStrictEqual(passed, expected)
      }),
      { numRuns: 200 }
    )
  })
})
