/** Vitest's reporter: the seed of property tests, failures with their logs, and a summary. */
import type { Vitest } from "vitest/node"
import { DefaultReporter } from "vitest/reporters"

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
}
