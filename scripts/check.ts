/** `npm run check`: everything that can be said of the package without running its tests. Stops at the first failure. */
import { run } from "./run.ts"

const checks: ReadonlyArray<readonly [what: string, ...command: ReadonlyArray<string>]> = [
  ["types", "tsc", "-p", "tsconfig.json"],
  ["lint and import cycles", "oxlint", "--deny-warnings"],
  ["folders", "node", "scripts/layers.ts"],
  ["comments", "node", "scripts/comments.ts"],
  ["names", "node", "scripts/names.ts"],
  ["format", "oxfmt", "--check"],
  ["unused code", "knip"],
  ["what users install", "node", "scripts/supplyChain.ts"],
  ["snippets", "node", "scripts/snippets.ts"],
  ["build", "npm", "run", "--silent", "build"],
  ["package", "publint", "--strict"],
  ["package types", "attw", "--pack", ".", "--profile", "esm-only"],
  ["types for users of one SDK", "node", "scripts/consumers.ts"]
]

for (const [what, command = "", ...args] of checks) {
  console.log(`\n== ${what}: ${[command, ...args].join(" ")}`)
  const code = run(command, ...args)
  if (code !== 0) {
    console.error(`\n${what}: failed`)
    process.exit(code)
  }
}
console.log(`\nall ${checks.length} checks passed`)
