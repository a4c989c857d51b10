import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const build = fileURLToPath(new URL("./build", import.meta.url))

/** Drawn once a process, since workers read this file again. */
const seed = (process.env["CLIENTELE_SEED"] ??= process.env["SEED"] ?? String(Date.now() % 2 ** 31))

/** The derived tests, with the options of those that they are derived from. */
export default defineConfig({
  root: build,
  resolve: {
    alias: [
      { find: /^clientele$/, replacement: `${build}/src/index.ts` },
      { find: /^clientele\/(.*)$/, replacement: `${build}/src/$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: [`${build}/test/support/setup.ts`],
    provide: { seed: Number(seed) },
    silent: "passed-only",
    pool: "forks",
    maxWorkers: 3,
    execArgv: ["--expose-gc", "--no-warnings"],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxConcurrency: 12
  }
})
