import { assert, describe, it } from "vitest"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import { handTicker, settle } from "../support/handTicker.ts"
import { accountOf, answer, demand, enter, laneOf, patient, reasonOf } from "../support/lanes.ts"

const wait = (seconds: number | string) => ({ "retry-after": String(seconds) })

const away = () => new TurnedAway("QuotaExceeded", "used up")

describe("a refusal of the whole credential", () => {
  it("fails all waiting requests, of every model, and then probes are sent one at a time", async () => {
    const ticker = handTicker()
    const account = accountOf(ticker, { maxConcurrency: 1 })
    const [a, b] = [account.lane("a"), account.lane("b")]
    const [first, second] = [a.tryEnter(demand())!, b.tryEnter(demand())!]
    const waiting = [reasonOf(enter(a)), reasonOf(enter(a)), reasonOf(enter(b))]
    first.answered(429, [])
    account.refuse(first, away)
    first.leave()
    second.leave()
    assert.deepStrictEqual(await Promise.all(waiting), ["QuotaExceeded", "QuotaExceeded", "QuotaExceeded"])
    assert.isTrue(account.isRefused())
    const probe = a.tryEnter(demand())!
    assert.isUndefined(b.tryEnter(demand()), "one at a time, whatever the model")
    const next = enter(b)
    answer(probe, 200)
    answer(await next, 200)
    await settle()
    assert.isFalse(account.isRefused())
    assert.strictEqual(ticker.timers(), 0)
  })

  it("lets no request follow a probe whose response has not been read", async () => {
    for (const status of [401, 429]) {
      const account = accountOf(handTicker())
      const lane = account.lane("m")
      const first = lane.tryEnter(demand())!
      first.answered(status, [])
      account.refuse(first, away)
      first.leave()
      const probe = lane.tryEnter(demand())!
      const waiting = [reasonOf(enter(lane)), reasonOf(enter(lane))]
      probe.answered(status, [])
      await settle()
      assert.deepStrictEqual([lane.inFlight, lane.queued], [1, 2])
      account.refuse(probe, away)
      probe.leave()
      assert.deepStrictEqual(await Promise.all(waiting), ["QuotaExceeded", "QuotaExceeded"])
      assert.isTrue(account.isRefused())
    }
  })

  it("concerns that request alone if another one was let in meanwhile", async () => {
    const ticker = handTicker()
    const account = accountOf(ticker, { maxConcurrency: 2 })
    const lane = account.lane("m")
    const [denied, fine] = [lane.tryEnter(demand())!, lane.tryEnter(demand())!]
    const waiting = reasonOf(enter(lane))
    await ticker.pass(10)
    answer(fine, 200)
    denied.answered(401, [])
    account.refuse(denied, away)
    assert.isFalse(account.isRefused())
    assert.strictEqual(await waiting, "passed")
  })
})

describe("a request that may use another credential", () => {
  it("comes back without a permit when the gate closes on it", async () => {
    const lane = laneOf(handTicker(), { maxConcurrency: 1 })
    const held = lane.tryEnter(demand())!
    const moved = lane.enter(demand(), { ...patient, movable: true })
    const stays = lane.enter(demand(), patient)
    answer(held, 429, wait(1))
    assert.isUndefined(await moved)
    assert.strictEqual(lane.queued, 1)
    void stays
  })

  it("is not moved again by each refusal of the same time", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { maxConcurrency: 3 })
    const held = [0, 1, 2].map(() => lane.tryEnter(demand())!)
    let moves = 0
    const agent = async (): Promise<void> => {
      while ((await lane.enter(demand(), { ...patient, movable: true })) === undefined) moves++
    }
    void agent()
    for (const [after, seconds, expected] of [
      [0, 10, 1],
      [500, 10, 1],
      [0, 20, 2]
    ] as const) {
      await ticker.pass(after)
      answer(held.pop()!, 429, wait(seconds))
      await settle()
      assert.strictEqual(moves, expected)
    }
  })
})
