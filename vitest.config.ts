import { fileURLToPath } from "node:url"
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config"
import { LongFirst } from "./scripts/longFirst.ts"

const src = fileURLToPath(new URL("./src", import.meta.url))

/** Drawn once a process, since each project reads this file again. */
const seed = (process.env["CLIENTELE_SEED"] ??= process.env["SEED"] ?? String(Date.now() % 2 ** 31))

/**
 * Folders whose files share a process and its modules, which halves what they cost the processor: their tests leave global
 * state alone, and assert nothing of it.
 */
const SHARED = "test/{agent,ai,history,http,lease}/**/*.test.ts"

interface ProjectOptions {
  readonly exclude?: Array<string>
  readonly isolate?: boolean
}

/** A project by the ends of its files' names; CONTRIBUTING.md says which test belongs to which. */
const project = (
  name: string,
  include: Array<string>,
  { exclude = [], isolate = true }: ProjectOptions = {}
): TestProjectInlineConfiguration => ({
  extends: true,
  test: { name, include, exclude, poolOptions: { forks: { isolate } } }
})

export default defineConfig({
  resolve: {
    // Tests and the examples that they run meet the sources, not a build that may be stale.
    alias: [
      { find: /^clientele$/, replacement: `${src}/index.ts` },
      { find: /^clientele\/(.*)$/, replacement: `${src}/$1.ts` }
    ]
  },
  test: {
    projects: [
      project("fast", ["test/**/*.test.ts", "examples/**/*.test.ts"], { exclude: [SHARED] }),
      project("fast-shared", [SHARED], { isolate: false }),
      project("slow", ["test/**/*.slow.ts"]),
      project("nightly", ["test/**/*.nightly.ts"])
    ],
    setupFiles: ["test/support/setup.ts"],
    provide: { seed: Number(seed) },
    reporters: ["./scripts/reporter.ts"],
    // Logs of failing tests alone.
    silent: "passed-only",
    pool: "forks",
    // One more than the cores of a CI machine, since most tests wait. Node prints no warnings: setup.ts logs them.
    poolOptions: { forks: { maxForks: 3, execArgv: ["--expose-gc", "--no-warnings"] } },
    // For what hangs: a busy machine may take many times as long as another for what works.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongFirst },
    // Of tests that say that they may run beside each other: they wait more than they work.
    maxConcurrency: 12
  }
})
