/** Times that are no whole numbers, as pauses of a random length make them. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import fc from "fast-check"
import { assert } from "vitest"
import { RetryAfterGate } from "../../src/internal/quota/retryAfterGate.ts"
import { none } from "../../src/internal/quota/limits.ts"
import { Remote } from "../../src/internal/quota/remote.ts"
import * as Ticker from "../../src/internal/util/ticker.ts"
import { handTicker } from "../support/handTicker.ts"

/** Timers of effect are rounded to the nanosecond, and sums of floating point in their last digit. */
const trifle = 1e-6

const time = (max: number) => fc.double({ min: 0, max, noNaN: true })

describe("a gate", () => {
  it("is open to a request that waited for its rest, however times are rounded", () => {
    fc.assert(
      fc.property(time(1e6), time(1e5), time(1), (now, ms, part) => {
        const gate = new RetryAfterGate(handTicker(), () => undefined)
        gate.close(now, { ms, patience: Infinity, sentAt: now, usual: 1, rate: Infinity })
        const later = now + ms * part
        const woken = later + gate.closedFor(later) - trifle
        assert.strictEqual(gate.closedFor(woken), 0)
        assert.strictEqual(gate.room(woken), 1)
      }),
      { numRuns: 1_000 }
    )
  })
})

describe("a shared budget", () => {
  it("is called again by a request that waited for it, however times are rounded", () =>
    fc.assert(
      fc.asyncProperty(time(1e6), time(1e3), time(1), async (now, ms, part) => {
        const ticker = { ...handTicker(), now: () => now }
        const grant = { taken: 0, wait: ms, closed: 0, tokensLeft: Infinity }
        const budget = { reserve: () => Promise.resolve(grant), correct: () => undefined, close: () => undefined }
        const remote = new Remote({ budget, isAvailable: () => true }, ticker)
        await remote.reserve([1], none)
        const later = now + ms * part
        assert.strictEqual(remote.wait(later + remote.wait(later) - trifle), 0)
      }),
      { numRuns: 500 }
    ))
})

describe("a timer of a test's clock", () => {
  it.effect("runs after the call that sets it, even if no time has to pass", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_795_549_445_380)
      const ticker = yield* Ticker.current
      const ran: Array<string> = []
      // Too short to move this clock.
      ticker.after(1e-6, () => ran.push("at once"))
      ticker.after(5, () => ran.push("later"))
      const cancel = ticker.after(5, () => ran.push("never"))
      assert.deepStrictEqual(ran, [])
      yield* Effect.promise(() => Ticker.sleep(ticker, 1e-6, new AbortController().signal))
      assert.deepStrictEqual(ran, ["at once"])
      cancel()
      yield* TestClock.adjust(4)
      assert.deepStrictEqual(ran, ["at once"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(ran, ["at once", "later"])
    })
  )
})
