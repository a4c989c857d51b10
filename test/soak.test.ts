import { assert, describe, it } from "vitest"
import { soak } from "../soak/run.ts"
import { table } from "../soak/verdict.ts"

/** Far too short to say whether a heap grows. */
const brief = { agents: 50, rate: 100, sampleEvery: 250, tolerance: 1 }

describe("soak", () => {
  it("finds nothing left of agents that a nemesis struck, and each request settled", { timeout: 120_000 }, async () => {
    const report = await soak({ ...brief, minutes: 0.1, seed: 11 })
    assert.deepStrictEqual([...report.failures, ...report.ledger.told], [], table(report))
    assert.isAbove(report.ledger.answered, 0)
    assert.isAbove(report.ledger.faults.size, 2)
    assert.include(table(report), "all is well")
  })

  it("finds a lease that is kept, and says how to see it again", { timeout: 120_000 }, async () => {
    const report = await soak({ ...brief, minutes: 0.1, seed: 12, leak: true })
    assert.include(report.failures, "1 leases left")
    assert.include(table(report), "npm run soak -- --seed 12 --minutes 0.1 --agents 50 --rate 100")
  })
})
