/** The row of the matrix that needs a clock of its own: a machine that sleeps for an hour, and wakes with all timers due. */
import { assert, describe, it } from "vitest"

import { Health } from "../../src/internal/overload/health.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import { handTicker, settle } from "../support/handTicker.ts"
import { accountOf, demand, enter } from "../support/lanes.ts"

const hour = 3_600_000

/** So many who wait, and how many of them have passed. */
const crowd = (size: number, enter: () => Promise<unknown>) => {
  let passed = 0
  for (let i = 0; i < size; i++) void enter().then(() => passed++)
  return () => passed
}

describe("when a machine wakes that slept for an hour, there is no herd:", () => {
  it("requests that wait for a turn a second go one by one, and no budget was saved up", async () => {
    const ticker = handTicker()
    const lane = accountOf(ticker, { requestsPerMinute: 60 }).lane("m")
    const passed = crowd(500, () => enter(lane))
    await settle()
    const before = passed()
    await ticker.sleep(hour)
    assert.isAtMost(passed() - before, 1)
    await ticker.pass(30_000)
    assert.isAtMost(passed() - before, 31)
    assert.isAtLeast(passed() - before, 29)
  })

  it("requests that wait for a token budget have that of now, not that of the night", async () => {
    const ticker = handTicker()
    const lane = accountOf(ticker, { tokensPerMinute: 6_000 }).lane("m")
    const passed = crowd(500, () => enter(lane, demand(100)))
    await settle()
    const before = passed()
    await ticker.sleep(hour)
    assert.isAtMost(passed() - before, 1)
    await ticker.pass(30_000)
    assert.isAtMost(passed() - before, 31)
  })

  it("requests that wait for an open circuit send one probe", async () => {
    const ticker = handTicker()
    const health = new Health({ origin: "https://a", circuitFailures: 64, circuitCooldown: 5_000, ticker })
    health.unreachable(new WireError("Connection", "no", "refused"), () => undefined)
    const wait = { ms: Infinity, signal: undefined, sharesVerdict: false }
    const passed = crowd(500, () => health.wait({}, { ...wait, order: 0 }))
    await ticker.sleep(hour)
    assert.strictEqual(passed(), 1)
  })
})
