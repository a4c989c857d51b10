import { assert, describe, it } from "vitest"
import { type Limits, none } from "../../src/internal/quota/limits.ts"
import type { Shared } from "../../src/internal/quota/remote.ts"
import type { Grant } from "../../src/internal/quota/store.ts"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import { handTicker, settle } from "../support/handTicker.ts"
import { accountOf, answer, demand, enter, laneOf, patient, reasonOf } from "../support/lanes.ts"

/** A shared budget that answers on command. */
const budget = () => {
  const asked: Array<{
    readonly costs: ReadonlyArray<number>
    readonly grant: (taken: number, wait?: number, more?: Partial<Grant>) => Promise<void>
    readonly fail: () => Promise<void>
  }> = []
  const corrections: Array<readonly [requests: number, tokens: number]> = []
  const state = { available: true }
  const trails: Array<boolean> = []
  const shared: Shared = {
    isAvailable: () => state.available,
    budget: {
      reserve: (costs) =>
        new Promise<Grant>((resolve, reject) => {
          asked.push({
            costs,
            grant: (taken, wait = 0, more = {}) => {
              resolve({ taken, wait, closed: 0, tokensLeft: Infinity, ...more })
              return settle()
            },
            fail: () => {
              reject(new Error("away"))
              return settle()
            }
          })
        }),
      correct: (requests, tokens) => void corrections.push([requests, tokens]),
      trails: (isTrailing) => void trails.push(isTrailing),
      close: () => {}
    }
  }
  return { asked, corrections, shared, state, trails }
}

const named = (passed: Array<string>, name: string, promise: ReturnType<typeof enter>) =>
  promise.then((permit) => {
    passed.push(name)
    return permit
  })

describe("a request that waits for a reply of a shared budget", () => {
  it("does not pass a gate that closed meanwhile, and its permit is given back", async () => {
    const { asked, corrections, shared } = budget()
    const ticker = handTicker()
    const lane = laneOf(ticker, { tokensPerMinute: 1_000 }, shared)
    const passed: Array<string> = []
    const first = enter(lane)
    await asked[0]!.grant(1)
    void named(passed, "second", enter(lane, demand(7)))
    answer(await first, 429, { "retry-after": "2" })
    corrections.length = 0
    await asked[1]!.grant(1)
    assert.deepStrictEqual([passed, lane.queued, corrections], [[], 1, [[-1, -7]]])
    await ticker.pass(2_000)
    await asked[2]!.grant(1)
    assert.deepStrictEqual(passed, ["second"])
  })

  it("fails like all others when the gate closed for too long, and when the credential is refused", async () => {
    const { asked, shared } = budget()
    const account = accountOf(handTicker(), {}, shared)
    const lane = account.lane("m")
    const entered = [enter(lane), enter(lane)]
    await asked[0]!.grant(1)
    const [first] = entered
    await asked[1]!.grant(1)
    const second = await entered[1]!
    const hasty = reasonOf(lane.enter(demand(), { ...patient, maxRetryAfter: 1_000 }))
    const steady = reasonOf(lane.enter(demand(), patient))
    answer(await first!, 429, { "retry-after": "5" })
    assert.strictEqual(await hasty, "RateLimited")
    account.refuse(second, () => new TurnedAway("Authentication", "refused"))
    assert.strictEqual(await steady, "Authentication")
  })

  it("is not overtaken if that budget goes away before it answers, nor is the concurrency exceeded", async () => {
    const { asked, shared, state } = budget()
    const lane = laneOf(handTicker(), { maxConcurrency: 1 }, shared)
    const passed: Array<string> = []
    void named(passed, "first", enter(lane))
    state.available = false
    assert.isUndefined(lane.tryEnter(demand()), "others stand in line behind it")
    void named(passed, "second", enter(lane))
    await settle()
    assert.deepStrictEqual(passed, [])
    await asked[0]!.grant(1)
    assert.deepStrictEqual([passed, lane.inFlight], [["first"], 1])
  })

  it("goes by the budget of its own process if the shared one fails", async () => {
    const { asked, shared } = budget()
    const lane = laneOf(handTicker(), { requestsPerMinute: 60 }, shared)
    const passed: Array<string> = []
    for (const name of ["first", "second"]) void named(passed, name, enter(lane))
    await asked[0]!.fail()
    assert.deepStrictEqual([passed, lane.queued], [["first"], 1])
  })
})

describe("a request that a shared budget makes wait", () => {
  it("asks again at once if something was given back while that answer was on its way", async () => {
    const { asked, shared } = budget()
    const lane = laneOf(handTicker(), { tokensPerMinute: 1_000 }, shared)
    const first = enter(lane, demand(900))
    await asked[0]!.grant(1)
    const permit = await first
    void enter(lane, demand(900))
    permit.settle(10, undefined)
    await asked[1]!.grant(0, 54_000)
    assert.strictEqual(asked.length, 3)
    await asked[2]!.grant(0, 1_000)
    assert.strictEqual(asked.length, 3)
  })

  it("asks again at once if the limits have changed", async () => {
    const { asked, shared } = budget()
    const account = accountOf(handTicker(), { requestsPerMinute: 600 }, shared)
    const part = account.join({ ...none, requestsPerMinute: 1 })
    void enter(account.lane("m"))
    await asked[0]!.grant(0, 60_000)
    part()
    assert.strictEqual(asked.length, 2)
  })

  it("goes by the budget of its own process soon after the shared one went away", async () => {
    const { asked, shared, state } = budget()
    const ticker = handTicker()
    const lane = laneOf(ticker, { requestsPerMinute: 600 }, shared)
    const passed: Array<string> = []
    void named(passed, "first", enter(lane))
    await asked[0]!.grant(0, 60_000)
    await ticker.pass(2_500)
    assert.deepStrictEqual([passed, asked.length], [[], 1])
    state.available = false
    await ticker.pass(1_000)
    assert.deepStrictEqual([passed, ticker.timers()], [["first"], 0])
  })
})

/** Requests that have all been granted: the first of them at once, the others by their turns. */
const ahead = async (limits: Partial<Limits>, after: ReadonlyArray<number>) => {
  const one = budget()
  const ticker = handTicker()
  const account = accountOf(ticker, limits, one.shared)
  const lane = account.lane("m")
  const passed: Array<string> = []
  const aborts = after.map(() => new AbortController())
  const permits = after.map((_, i) =>
    named(passed, `${i}`, enter(lane, demand(7), { ...patient, signal: aborts[i]!.signal }))
  )
  for (const promise of permits) promise.catch(() => {})
  await one.asked[0]!.grant(1, 0, { after: [0] })
  await one.asked[1]!.grant(after.length - 1, 0, { after: after.slice(1) })
  return { ...one, aborts, account, lane, passed, permits, ticker }
}

describe("a request whose turn has been taken ahead of its time", () => {
  const limits = { requestsPerMinute: 600, tokensPerMinute: 60_000 }

  it("departs when it comes, and not before", async () => {
    const { corrections, lane, passed, ticker } = await ahead(limits, [0, 100, 200])
    assert.deepStrictEqual([passed, lane.queued], [["0"], 2])
    await ticker.pass(99)
    assert.deepStrictEqual(passed, ["0"])
    await ticker.pass(1)
    assert.deepStrictEqual(passed, ["0", "1"])
    await ticker.pass(100)
    assert.deepStrictEqual([passed, lane.queued, lane.inFlight], [["0", "1", "2"], 0, 3])
    assert.deepStrictEqual([corrections, ticker.timers()], [[], 0])
  })

  it("gives it back if it is cancelled, or turned away", async () => {
    const { aborts, account, corrections, lane, passed, permits, ticker } = await ahead(limits, [0, 100, 200, 300])
    aborts[1]!.abort(new Error("enough"))
    await ticker.pass(250)
    assert.deepStrictEqual([passed, corrections], [["0", "2"], [[-1, -7]]])
    account.refuse(await permits[2]!, () => new TurnedAway("Authentication", "refused"))
    await ticker.pass(1_000)
    assert.deepStrictEqual([passed, lane.queued], [["0", "2"], 0])
    assert.deepStrictEqual(corrections, [
      [-1, -7],
      [-1, -7]
    ])
    assert.strictEqual(await reasonOf(permits[3]!), "Authentication")
    assert.strictEqual(ticker.timers(), 0)
  })

  it("gives it back if the gate has closed, and waits on in its place", async () => {
    const { asked, corrections, lane, passed, permits, ticker } = await ahead(limits, [0, 100, 200])
    answer(await permits[0]!, 429, { "retry-after": "2" })
    assert.deepStrictEqual(corrections, [
      [-1, -7],
      [-1, -7]
    ])
    await ticker.pass(1_999)
    assert.deepStrictEqual([passed, lane.queued, asked.length], [["0"], 2, 2])
    await ticker.pass(1)
    await asked[2]!.grant(1)
    assert.deepStrictEqual(passed, ["0", "1"])
  })

  it("counts for the concurrency, so that no request is let in without room", async () => {
    const { asked, lane, passed, permits, ticker } = await ahead({ ...limits, maxConcurrency: 2 }, [0, 100, 0])
    assert.deepStrictEqual([asked[1]!.costs.length, passed], [1, ["0"]])
    await ticker.pass(100)
    assert.deepStrictEqual([passed, asked.length, lane.inFlight], [["0", "1"], 2, 2])
    ;(await permits[0]!).leave()
    assert.strictEqual(asked.length, 3)
  })

  it("is not overtaken if the shared budget goes away", async () => {
    const { lane, passed, state, ticker } = await ahead(limits, [0, 100])
    state.available = false
    void named(passed, "later", enter(lane))
    await ticker.pass(99)
    assert.deepStrictEqual(passed, ["0"])
    await ticker.pass(1)
    assert.deepStrictEqual(passed, ["0", "1"])
    await ticker.pass(1_000)
    assert.deepStrictEqual(passed, ["0", "1", "later"])
  })
})

describe("grants that come too late", () => {
  it("are logged once, if requests wait meanwhile and that adds up, and once when they come in time again", async () => {
    const { asked, shared, trails } = budget()
    const ticker = handTicker()
    const lane = laneOf(ticker, { requestsPerMinute: 60_000 }, shared)
    const late = async (idle: number, seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        await ticker.pass(1_000)
        await asked.at(-1)!.grant(1, 0, { idle })
      }
    }
    for (let i = 0; i < 200; i++) void enter(lane)
    await late(40, 30)
    assert.deepStrictEqual(trails, [])
    await late(400, 60)
    assert.deepStrictEqual(trails, [true])
    await late(0, 60)
    assert.deepStrictEqual(trails, [true, false])
  })

  it("are not logged for single requests", async () => {
    const { asked, shared, trails } = budget()
    const ticker = handTicker()
    const lane = laneOf(ticker, { requestsPerMinute: 60_000 }, shared)
    for (let i = 0; i < 60; i++) {
      void enter(lane)
      await ticker.pass(1_000)
      await asked.at(-1)!.grant(1, 0, { idle: 1e9 })
    }
    assert.deepStrictEqual(trails, [])
  })
})
