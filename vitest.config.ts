import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const src = fileURLToPath(new URL("./src", import.meta.url))

/** `npm run test:nightly`: tests that install much or take minutes. */
const nightly = process.env["CLIENTELE_NIGHTLY"] === "1"

/** Small files that take long, most of it in waiting. */
const long = /\/test\/(faults\/matrix|soak|(packaging|process)\/\w+)\.test\.ts$/

/** Whoever knows no better runs large files first, and would wait for these at the end, with nothing beside them. */
class LongFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => Number(long.test(b.moduleId)) - Number(long.test(a.moduleId)))
  }
}

export default defineConfig({
  resolve: {
    // Tests and the examples that they run meet the sources, not a build that may be stale.
    alias: [
      { find: /^clientele$/, replacement: `${src}/index.ts` },
      { find: /^clientele\/(.*)$/, replacement: `${src}/$1.ts` }
    ]
  },
  test: {
    include: nightly ? ["test/**/*.nightly.ts"] : ["test/**/*.test.ts", "examples/**/*.test.ts"],
    setupFiles: ["test/support/setup.ts"],
    pool: "forks",
    poolOptions: { forks: { maxForks: 2, execArgv: ["--expose-gc"] } },
    // For what hangs: a busy machine may take many times as long as another for what works.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongFirst },
    // Of tests that say that they may run beside each other: they wait more than they work.
    maxConcurrency: 12
  }
})
