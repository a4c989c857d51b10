/** Tests of the share of requests that may be retries. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as RetryBudget from "../../src/internal/quota/retryBudget.ts"

/** How many retries it gives in a row, up to 1,000. */
const drain = (budget: RetryBudget.RetryBudget): number => {
  let taken = 0
  while (taken < 1_000 && budget.take()) taken++
  return taken
}

const requests = (budget: RetryBudget.RetryBudget, count: number): void => {
  for (let i = 0; i < count; i++) budget.request()
}

describe("a retry budget", () => {
  it("gives a quiet client its retries", () => {
    const budget = RetryBudget.make()
    budget.request()
    assert.deepStrictEqual([budget.take(), budget.take()], [true, true])
  })

  it("is rested while it allows no less than a new one", () => {
    const budget = RetryBudget.make()
    assert.isTrue(budget.isRested())
    budget.take()
    requests(budget, 9)
    assert.isFalse(budget.isRested())
    requests(budget, 1)
    assert.isTrue(budget.isRested())
    requests(budget, 1_000)
    assert.isTrue(budget.isRested())
  })

  it("of 1,000 requests that all fail, each retried as often as it may, gives 110 retries", () => {
    const budget = RetryBudget.make()
    let retries = 0
    for (let i = 0; i < 1_000; i++) {
      budget.request()
      retries += drain(budget)
    }
    assert.strictEqual(retries, 110)
  })

  it("refills with traffic, and holds no more than 100", () => {
    const budget = RetryBudget.make()
    assert.strictEqual(drain(budget), 10)
    requests(budget, 9)
    assert.isFalse(budget.take())
    requests(budget, 1)
    assert.deepStrictEqual([budget.take(), budget.take()], [true, false])
    requests(budget, 999)
    assert.strictEqual(drain(budget), 99)
    requests(budget, 100_000)
    assert.strictEqual(drain(budget), 100)
  })

  it("one budget is nobody else's", () => {
    const mine = RetryBudget.make()
    drain(mine)
    assert.strictEqual(drain(RetryBudget.make()), 10)
  })

  it("gives at any time at most 10 and a tenth of the requests so far, and refuses only for that or for the bound", () => {
    const step = fc.record({ requests: fc.nat({ max: 50 }), wanted: fc.nat({ max: 12 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const budget = RetryBudget.make()
        let sent = 0
        let retries = 0
        // What there is, in tenths of a retry.
        let left = 100
        for (const { requests: more, wanted } of steps) {
          requests(budget, more)
          sent += more
          left = Math.min(1_000, left + more)
          for (let i = 0; i < wanted; i++) {
            const granted = budget.take()
            assert.strictEqual(granted, left >= 10)
            if (granted) {
              retries++
              left -= 10
            }
            assert.isAtMost(retries * 10, 100 + sent)
          }
        }
      })
    )
  })
})
