import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** Another undici than the installed, for the run that tries the oldest and the newest allowed. */
const undici = process.env["CLIENTELE_TEST_UNDICI"]
const src = fileURLToPath(new URL("./src", import.meta.url))

export default defineConfig({
  resolve: {
    // Tests and the examples that they run meet the sources, not a build that may be stale.
    alias: [
      { find: /^clientele$/, replacement: `${src}/index.ts` },
      { find: /^clientele\/(.*)$/, replacement: `${src}/$1.ts` },
      ...(undici === undefined ? [] : [{ find: /^undici$/, replacement: `${undici}/index.js` }])
    ]
  },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    setupFiles: ["test/support/setup.ts"],
    pool: "forks",
    poolOptions: { forks: { maxForks: 2, execArgv: ["--expose-gc"] } },
    // For what hangs: a busy machine may take many times as long as another for what works.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Of tests that say that they may run beside each other: they wait more than they work.
    maxConcurrency: 12
  }
})
