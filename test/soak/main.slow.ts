import { assert, describe, it } from "vitest"
import { spawnSync } from "node:child_process"
import { Ledger } from "../../soak/ledger.ts"
import { soak } from "../../soak/run.ts"
import { failures, table } from "../../soak/verdict.ts"

/** Far too short to say whether a heap grows. */
const brief = { agents: 50, rate: 100, sampleEvery: 250, tolerance: 1 }

const grown = (growth: number) => ({ first: 60, last: 60 * (1 + growth), growth })

describe("soak", () => {
  it("finds nothing left of agents that a nemesis struck, and each request settled", { timeout: 120_000 }, async () => {
    const report = await soak({ ...brief, minutes: 0.1, seed: 11 })
    assert.deepStrictEqual([...report.failures, ...report.ledger.told], [], table(report))
    assert.isAbove(report.ledger.answered, 0)
    assert.isAbove(report.ledger.faults.size, 2)
    assert.include(table(report), "all is well")
  })

  it("finds a lease that is kept, and prints how to replay it", { timeout: 120_000 }, async () => {
    const report = await soak({ ...brief, minutes: 0.1, seed: 12, leak: true })
    assert.include(report.failures, "1 leases left")
    assert.include(table(report), "npm run soak -- --seed 12 --minutes 0.1 --agents 50 --rate 100")
  })

  it("judges growth where it went on for long enough, and then a lack of samples too", () => {
    const ledger = new Ledger()
    ledger.answered = 1
    const why = (growth: number, tolerance: number | undefined) =>
      failures({
        command: "",
        ledger,
        samples: [],
        heap: grown(growth),
        descriptors: grown(0),
        tolerance,
        left: { leases: 0, descriptors: 0, serverSockets: 0, timers: 0 },
        server: { open: [], proxied: 0, requests: 1, struck: 0 }
      })
    assert.deepStrictEqual(why(0.05, 0.02), ["heap grew by 5.0 %: 60.0 to 63.0"])
    assert.deepStrictEqual([why(0.01, 0.02), why(0.05, undefined)], [[], []])
    assert.lengthOf(why(NaN, 0.02), 1)
  })

  it("reports an error in its command line, with its usage", () => {
    for (const [given, why] of [
      [["--minutes", "abc"], '--minutes is "abc"; expected a number above 0'],
      [["--foo"], "Unknown option '--foo'"]
    ] as const) {
      const { status, stderr, stdout } = spawnSync(process.execPath, ["soak/main.ts", ...given], { encoding: "utf8" })
      assert.deepStrictEqual({ status, stdout }, { status: 2, stdout: "" })
      assert.include(stderr, why)
      assert.include(stderr, "usage: npm run soak")
    }
  })
})
