import { fileURLToPath } from "node:url"
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config"
import { LongFirst } from "./scripts/longFirst.ts"

const src = fileURLToPath(new URL("./src", import.meta.url))

/** Drawn once a process, since each project reads this file again. */
const seed = (process.env["CLIENTELE_SEED"] ??= process.env["SEED"] ?? String(Date.now() % 2 ** 31))

/**
 * Fast files that have a process of their own: they replace modules, globals or the environment, start processes, measure
 * the heap, or count what the process has open. All others share three processes in whole runs (`scripts/test.ts`), so that
 * effect, the SDKs and the sources are loaded three times and not 200 times.
 */
const OWN_PROCESS = [
  "examples/**/*.test.ts",
  "test/{install,packaging,scripts}/**/*.test.ts",
  "test/ClientConfig.proxy.test.ts",
  "test/contracts/{certificates,interruption,streams,truncation}.test.ts",
  "test/lease/world.test.ts",
  "test/otel/registry.test.ts",
  "test/promise/{canary,getters,globalFetch,lifetime,migration,mocked,set}.test.ts",
  "test/promise/options/{sent,table}.test.ts",
  "test/promise/register/*.test.ts",
  "test/redaction/secrets.test.ts",
  "test/request/{deadline,idempotency}.test.ts",
  "test/sandbox/wire.test.ts",
  "test/telemetry/**/*.test.ts",
  "test/transport/{body,destinations,neighbours,processSockets,queueTimeout,roster,threads}.test.ts",
  "test/transport/h1/{channels,connection}.test.ts",
  "test/transport/h2/{cancels,failures,world}.test.ts",
  "test/transport/runtime/*.test.ts"
]

/** A project by the ends of its files' names; CONTRIBUTING.md says which test belongs to which. */
const project = (
  name: string,
  include: Array<string>,
  exclude: Array<string> = []
): TestProjectInlineConfiguration => ({
  extends: true,
  test: { name, include, exclude }
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
      project("fast", OWN_PROCESS),
      project("fast-shared", ["test/**/*.test.ts"], OWN_PROCESS),
      project("slow", ["test/**/*.slow.ts"]),
      project("nightly", ["test/**/*.nightly.ts"])
    ],
    setupFiles: ["test/support/setup.ts"],
    provide: { seed: Number(seed) },
    reporters: ["./scripts/reporter.ts"],
    // Logs of failing tests alone.
    silent: "passed-only",
    pool: "forks",
    // Twice the cores of a CI machine, since most tests wait. Node prints no warnings: setup.ts logs them.
    poolOptions: { forks: { maxForks: 4, execArgv: ["--expose-gc", "--no-warnings"] } },
    // For what hangs: a busy machine may take many times as long as another for what works.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    sequence: { sequencer: LongFirst },
    // Of tests that say that they may run beside each other: they wait more than they work.
    maxConcurrency: 12
  }
})
