/** The retry budget by itself. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Budget from "../../src/internal/overload/budget.ts"

/** Takes all retries available at that time, and counts them. */
const drain = (budget: Budget.Budget, now: number, usual = 1): number => {
  let taken = 0
  while (taken < 10_000 && Budget.take(budget, now, 10, usual)) taken++
  return taken
}

describe("a retry budget", () => {
  it("begins with 100, and gives ten a second to a provider that answers nothing", () => {
    const budget = Budget.make()
    assert.strictEqual(drain(budget, 0), 100)
    assert.strictEqual(drain(budget, 1_000), 10)
    assert.closeTo(Budget.wait(budget, 10), 100, 1e-9)
    assert.strictEqual(drain(budget, 1_099), 0)
    assert.strictEqual(drain(budget, 1_101), 1)
  })

  it("begins with as many as are in flight, if those are more", () => {
    assert.strictEqual(drain(Budget.make(), 0, 500), 500)
  })

  it("has seven more for each answer, and twice the usual traffic at most", () => {
    const budget = Budget.make()
    drain(budget, 0)
    Budget.answered(budget, 500)
    assert.strictEqual(drain(budget, 0), 7)
    for (let i = 0; i < 10_000; i++) Budget.answered(budget, 500)
    assert.strictEqual(drain(budget, 0, 500), 1_000)
  })

  it("never binds while one attempt of eight is answered, in whatever order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 100, maxLength: 400 }), (places) => {
        const budget = Budget.make()
        // One of each eight attempts is answered, and each that fails is repeated.
        for (const place of places) {
          for (let i = 0; i < 8; i++) {
            if (i === place) Budget.answered(budget, 10)
            else if (!Budget.take(budget, 0, 10, 10)) return false
          }
        }
        return true
      })
    )
  })

  it("charges connections that are lost within 100 ms once", () => {
    const budget = Budget.make()
    assert.deepStrictEqual(
      [0, 1, 50, 99, 100, 150, 250].map((now) => Budget.isNewCause(budget, now)),
      [true, false, false, false, true, false, true]
    )
  })

  it("that is false never denies a retry", () => {
    const budget = Budget.make()
    for (let i = 0; i < 1_000; i++) assert.isTrue(Budget.take(budget, 0, Infinity, 1))
  })
})
