/** Order of test files: those that wait long first, so that others run beside them. */
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Small files that take long; Vitest by itself runs large files first and would end with these. */
const LONG = /\/test\/(faults\/(matrix|loop)|soak\/\w+|(packaging|process)\/\w+)\.(test|slow)\.ts$/

export class LongFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => Number(LONG.test(b.moduleId)) - Number(LONG.test(a.moduleId)))
  }
}
