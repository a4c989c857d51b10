/** Vitest's reporter: the seed of property tests, failures with their logs, and a summary. */
import { writeFileSync } from "node:fs"
import type { TestModule, Vitest } from "vitest/node"
import { DefaultReporter } from "vitest/reporters"

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

  /** Leaves out the banner. */
  override onInit(vitest: Vitest): void {
    this.ctx = vitest
    this.start = performance.now()
    this.log(`property seed ${vitest.getRootProject().getProvidedContext().seed}`)
  }

  /** Leaves out the list of tests; the summary has those that failed. */
  protected override printTestModule(): void {}

  override onFinished(...[files, errors = []]: Parameters<DefaultReporter["onFinished"]>): void {
    super.onFinished(files, errors)
    const to = process.env["CLIENTELE_COUNTS"]
    if (to === undefined) return
    const counts = countsOf(this.ctx.state.getTestModules())
    // An error outside of tests fails the run.
    writeFileSync(to, JSON.stringify({ ...counts, failed: counts.failed + errors.length } satisfies Counts))
  }
}
