import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { adaptiveDefaults as defaults } from "../../src/internal/config/adaptive.ts"
import type { ModelLimiter } from "../../src/internal/quota/modelLimiter.ts"
import { none } from "../../src/internal/quota/limits.ts"
import type { Permit } from "../../src/internal/quota/permit.ts"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import { handTicker, settle } from "../support/handTicker.ts"
import { accountOf, answer, demand, enter, laneOf, patient, reasonOf } from "../support/lanes.ts"

/** Enters, and notes the name when it passes. */
const line = (
  lane: ModelLimiter,
  passed: Array<string>,
  name: string,
  signal?: AbortSignal
): Promise<Permit | undefined> =>
  enter(lane, demand(), { ...patient, signal }).then(
    (permit) => {
      passed.push(name)
      return permit
    },
    () => undefined
  )

describe("the queue of a model", () => {
  it("lets all requests pass at once without limits, and sets no timer", () => {
    const ticker = handTicker()
    const lane = laneOf(ticker)
    for (let i = 0; i < 1_000; i++) assert.isDefined(lane.tryEnter(demand()))
    assert.deepStrictEqual([lane.inFlight, lane.queued, ticker.timers()], [1_000, 0, 0])
  })

  it("passes waiters in the order in which they came, and none out of turn", async () => {
    const lane = laneOf(handTicker(), { maxConcurrency: 1 })
    const passed: Array<string> = []
    const permits = [lane.tryEnter(demand())!]
    for (const name of ["a", "b", "c"]) void line(lane, passed, name).then((permit) => permits.push(permit!))
    assert.isUndefined(lane.tryEnter(demand()))
    for (const expected of [["a"], ["a", "b"], ["a", "b", "c"]]) {
      permits.at(-1)!.leave()
      assert.isUndefined(lane.tryEnter(demand()), "the permit belongs to the one who waited")
      await settle()
      assert.deepStrictEqual(passed, expected)
    }
    permits.at(-1)!.leave()
    assert.deepStrictEqual([lane.inFlight, lane.queued], [0, 0])
  })

  it("refuses a request when it is full, and disturbs none in it", async () => {
    const lane = laneOf(handTicker(), { maxConcurrency: 1, maxWaiters: 2 })
    const passed: Array<string> = []
    const permits = [lane.tryEnter(demand())!]
    for (const name of ["a", "b"]) void line(lane, passed, name).then((permit) => permits.push(permit!))
    for (let i = 0; i < 3; i++) {
      const refused = await enter(lane).catch((error: unknown) => error)
      assert.instanceOf(refused, TurnedAway)
      assert.deepInclude(refused, { reason: "Capacity", retryAfter: undefined })
      assert.match(String(refused), /2 requests wait .* quota\.maxWaiters \(2\)/)
    }
    permits[0]!.leave()
    await settle()
    // One has gone, so there is room for one.
    void line(lane, passed, "c").then((permit) => permits.push(permit!))
    assert.strictEqual(await reasonOf(enter(lane)), "Capacity")
    for (let i = 1; i < 4; i++) {
      permits[i]!.leave()
      await settle()
    }
    assert.deepStrictEqual([passed, lane.inFlight, lane.queued], [["a", "b", "c"], 0, 0])
  })

  it("accepts a retried request, even if it is full", async () => {
    const lane = laneOf(handTicker(), { maxConcurrency: 2, maxWaiters: 1 })
    const passed: Array<string> = []
    const first = demand()
    const second = demand()
    const held = [lane.tryEnter(first)!, lane.tryEnter(second)!]
    void line(lane, passed, "third")
    for (const one of [second, first]) {
      void enter(lane, one, { ...patient, again: true }).then(() => passed.push(one === first ? "first" : "second"))
    }
    assert.strictEqual(lane.queued, 3)
    assert.strictEqual(await reasonOf(enter(lane)), "Capacity")
    for (const permit of held) permit.leave()
    await settle()
    assert.deepStrictEqual(passed, ["first", "second"])
  })

  it("gives a retried request its old place", async () => {
    const lane = laneOf(handTicker(), { maxConcurrency: 1 })
    const passed: Array<string> = []
    const first = demand()
    const held = lane.tryEnter(first)!
    void line(lane, passed, "second")
    void enter(lane, first).then(() => passed.push("first"))
    held.leave()
    await settle()
    assert.deepStrictEqual(passed, ["first"])
  })

  it("an aborted waiter costs nothing and delays none", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { maxConcurrency: 1, requestsPerMinute: 60, tokensPerMinute: 6_000 })
    const passed: Array<string> = []
    const held = lane.tryEnter(demand(100))!
    const controller = new AbortController()
    const reason = new Error("enough")
    const gone = lane.enter(demand(6_000), { ...patient, signal: controller.signal }).catch((error: unknown) => error)
    void line(lane, passed, "next")
    controller.abort(reason)
    assert.strictEqual(await gone, reason)
    assert.strictEqual(lane.queued, 1)
    held.leave()
    await ticker.pass(999)
    assert.deepStrictEqual(passed, [])
    await ticker.pass(1)
    assert.deepStrictEqual(passed, ["next"])
    const late = lane.enter(demand(), { ...patient, signal: AbortSignal.abort(reason) })
    assert.strictEqual(await late.catch((error: unknown) => error), reason)
    assert.deepStrictEqual([lane.inFlight, lane.queued], [1, 0])
  })

  it("a signal that aborts later has no effect on a request that has passed", async () => {
    const lane = laneOf(handTicker(), { maxConcurrency: 1 })
    const held = lane.tryEnter(demand())!
    const controller = new AbortController()
    const waited = lane.enter(demand(), { ...patient, signal: controller.signal })
    held.leave()
    assert.isDefined(await waited)
    controller.abort()
    assert.deepStrictEqual([lane.inFlight, lane.queued], [1, 0])
  })

  it("new limits apply at once, to waiters too", async () => {
    const account = accountOf(handTicker(), { maxConcurrency: 3 })
    const lane = account.lane("m")
    const leave = account.join({ ...none, maxConcurrency: 1 })
    const passed: Array<string> = []
    const held = lane.tryEnter(demand())!
    for (const name of ["a", "b", "c"]) void line(lane, passed, name)
    leave()
    await settle()
    assert.deepStrictEqual(passed, ["a", "b"])
    held.leave()
    await settle()
    assert.deepStrictEqual(passed, ["a", "b", "c"])
  })

  it("state of models is dropped as well when they were unused for ten minutes", async () => {
    const ticker = handTicker()
    const account = accountOf(ticker, { maxConcurrency: defaults })
    const names: Array<string> = []
    const use = (name: string) => {
      names.push(name)
      // Closed, and not opened by anybody since.
      answer(account.lane(name).tryEnter(demand())!, 429, { "retry-after": "900" })
    }
    for (let i = 0; i < 100; i++) use(`model ${i}`)
    await ticker.pass(800_000)
    use("another")
    for (let i = 0; i < 100; i++) account.lane(`unused ${i}`)
    const known = () =>
      account
        .stats()
        .filter(({ limit }) => limit < defaults.initial)
        .map(({ model }) => model)
    assert.deepStrictEqual(known(), names, "they are closed")
    await ticker.pass(100_001)
    for (let i = 0; i < 200; i++) account.lane(`unknown ${i}`)
    assert.deepStrictEqual(known(), ["another"])
  })

  it("an adaptive limit is kept when holders with the same settings come and go", () => {
    const account = accountOf(handTicker(), { maxConcurrency: defaults })
    const lane = account.lane("m")
    const permit = lane.tryEnter(demand())!
    permit.answered(429, [])
    permit.leave()
    const found = lane.concurrency
    assert.isBelow(found, defaults.initial)
    const part = account.join({ ...none, maxConcurrency: { ...defaults } })
    assert.strictEqual(lane.concurrency, found)
    part()
    assert.strictEqual(lane.concurrency, found)
  })

  it("a request that waits longer than its queueTimeout fails, and delays none", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { maxConcurrency: 1 })
    const passed: Array<string> = []
    const held = lane.tryEnter(demand())!
    const gone = reasonOf(lane.enter(demand(), { ...patient, timeout: 100 }))
    void line(lane, passed, "next")
    await ticker.pass(99)
    assert.strictEqual(lane.queued, 2)
    await ticker.pass(1)
    assert.deepStrictEqual([await gone, lane.queued], ["QueueTimeout", 1])
    held.leave()
    await settle()
    assert.deepStrictEqual([passed, ticker.timers()], [["next"], 0])
  })

  it("models of one credential have each their own queue, and idle ones are dropped", () => {
    const account = accountOf(handTicker(), { maxConcurrency: 1 })
    const held = [account.lane("a").tryEnter(demand()), account.lane("b").tryEnter(demand())]
    assert.deepStrictEqual(
      held.map((permit) => permit === undefined),
      [false, false]
    )
    for (let i = 0; i < 1_000; i++) account.lane(`model ${i}`)
    assert.deepStrictEqual(
      account.stats().map(({ inFlight, model }) => [model, inFlight]),
      [
        ["a", 1],
        ["b", 1]
      ]
    )
    assert.isUndefined(account.lane("a").tryEnter(demand()), "what is in use is remembered")
  })
})

/** When those leave who come at once, in the first minute. */
const times = async (limits: object, tokens: number, count: number): Promise<ReadonlyArray<number>> => {
  const ticker = handTicker()
  const lane = laneOf(ticker, limits)
  const at: Array<number> = []
  for (let i = 0; i < count; i++) void enter(lane, demand(tokens)).then(() => at.push(ticker.now()))
  await ticker.pass(60_000 - 0.01)
  return at
}
describe("the pace", () => {
  it("spaces requests evenly, and saves nothing up while idle", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { requestsPerMinute: 60 })
    const departures: Array<number> = []
    for (; ticker.now() < 5_000; await ticker.pass(100)) {
      if (lane.tryEnter(demand()) !== undefined) departures.push(ticker.now())
    }
    assert.deepStrictEqual(departures, [0, 1_000, 2_000, 3_000, 4_000])
    await ticker.pass(100_000)
    assert.deepStrictEqual(
      [lane.tryEnter(demand()), lane.tryEnter(demand())].map((permit) => permit !== undefined),
      [true, false]
    )
  })

  it("is exact at 7 requests a minute, and at 1,000,000 tokens", async () => {
    const seven = await times({ requestsPerMinute: 7 }, 0, 20)
    assert.deepStrictEqual(
      seven.map((at) => Math.round(at)),
      [0, 8571, 17143, 25714, 34286, 42857, 51429]
    )
    const thousand = await times({ tokensPerMinute: 1_000_000 }, 700, 2_000)
    assert.strictEqual(thousand.length, Math.ceil(1_000_000 / 700))
    thousand.forEach((at, i) => assert.approximately(at, i * 42, 0.01))
  })

  it("goes by new limits at once, also for what has been taken before", async () => {
    const ticker = handTicker()
    const account = accountOf(ticker, { requestsPerMinute: 60 })
    const lane = account.lane("m")
    const part = account.join({ ...none, requestsPerMinute: 1 })
    const at: Array<number> = []
    for (let i = 0; i < 4; i++) void enter(lane).then(() => at.push(ticker.now()))
    await ticker.pass(30_000)
    part()
    await ticker.pass(1_000)
    const again = account.join({ ...none, requestsPerMinute: 6 })
    await ticker.pass(60_000)
    again()
    // Half of the first minute was left, hence half a second; and half of the second second, hence five.
    assert.deepStrictEqual(at, [0, 30_500, 36_000, 46_000])
  })

  it("lets a cost above a whole minute's limit pass, and makes the next wait for it", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { tokensPerMinute: 1_000 })
    const at: Array<number> = []
    for (const tokens of [3_000, 10, 10]) void enter(lane, demand(tokens)).then(() => at.push(ticker.now()))
    await ticker.pass(200_000)
    assert.deepStrictEqual(at, [0, 180_000, 180_600])
  })

  it("settles the real cost of a response, at once for waiters", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { tokensPerMinute: 6_000 })
    const held = lane.tryEnter(demand(6_000))!
    assert.strictEqual(lane.tokensLeft(0), 0)
    const at: Array<number> = []
    void enter(lane, demand(100)).then(() => at.push(ticker.now()))
    await ticker.pass(1_000)
    held.settle(500, undefined)
    held.settle(0, undefined)
    await ticker.pass(10_000)
    assert.deepStrictEqual(at, [5_000])
    const short = lane.tryEnter(demand(100))!
    short.settle(1_100, undefined)
    assert.strictEqual(lane.tokensLeft(ticker.now()), 4_900)
  })

  it("gets back the cost of unsent requests", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { requestsPerMinute: 1, tokensPerMinute: 100 })
    const held = lane.tryEnter(demand(100))!
    assert.isUndefined(lane.tryEnter(demand(100)))
    held.refund()
    held.refund()
    held.leave()
    assert.isDefined(lane.tryEnter(demand(100)))
    assert.isUndefined(lane.tryEnter(demand(100)))
  })

  it("no 60 seconds hold more than limit + burst - 1 requests, whenever they come and however late timers are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.record({ pause: fc.integer({ min: 0, max: 20_000 }), count: fc.integer({ min: 1, max: 12 }) }), {
          maxLength: 20
        }),
        fc.infiniteStream(fc.integer({ min: 0, max: 200 })),
        async (requestsPerMinute, burst, batches, lates) => {
          const ticker = handTicker(200, () => lates.next().value)
          const lane = laneOf(ticker, { requestsPerMinute, burst })
          const at: Array<number> = []
          for (const { count, pause } of batches) {
            await ticker.pass(pause)
            for (let i = 0; i < count; i++) void enter(lane).then(() => at.push(ticker.now()))
          }
          await ticker.pass(20 * 60_000 * 12)
          assert.strictEqual(lane.queued, 0)
          for (const start of at) {
            const within = at.filter((time) => time >= start && time < start + 60_000).length
            assert.isAtMost(within, requestsPerMinute + burst - 1)
          }
        }
      ),
      { numRuns: 60 }
    )
  })

  it("late timers cost no budget", async () => {
    const ticker = handTicker(200, () => 150)
    const lane = laneOf(ticker, { requestsPerMinute: 6_000 })
    let done = 0
    for (let i = 0; i < 1_000; i++) void enter(lane).then(() => done++)
    await ticker.pass(10_200)
    assert.isAtLeast(done, 990)
  })
})
