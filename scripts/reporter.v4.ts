/** Vitest 5's reporter for the tests of Effect 4: failures with their logs, and counts for `CLIENTELE_COUNTS`. */
import { writeFileSync } from "node:fs"
import { DefaultReporter, type TestModule } from "vitest/node"

/** Written to the file named by `CLIENTELE_COUNTS`. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const countsOf = (modules: ReadonlyArray<TestModule>): Counts => {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const module of modules) {
    const before = counts.failed
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state !== "pending") counts[state]++
    }
    // A file that does not load, or whose hooks fail, has no failed test.
    if (module.state() === "failed" && counts.failed === before) counts.failed++
  }
  return counts
}

export default class FailuresReporter extends DefaultReporter {
  constructor() {
    super({ summary: false })
  }

  /** Leaves out the list of tests; the summary has those that failed. */
  protected override printTestModule(): void {}

  override onTestRunEnd(...[modules, errors, reason]: Parameters<DefaultReporter["onTestRunEnd"]>): void {
    super.onTestRunEnd(modules, errors, reason)
    const to = process.env["CLIENTELE_COUNTS"]
    if (to === undefined) return
    const counts = countsOf(modules)
    // An error outside of tests fails the run.
    writeFileSync(to, JSON.stringify({ ...counts, failed: counts.failed + errors.length } satisfies Counts))
  }
}
