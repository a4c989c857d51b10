/** `npm run build`: makes dist/ from src/, step by step; the first step that fails ends it. */
import { run } from "./run.ts"

const steps: ReadonlyArray<() => number> = [
  () => run("tsc", "-p", "tsconfig.build.json"),
  () => run("node", "scripts/vendor.ts")
]

process.exitCode = steps.some((step) => step() !== 0) ? 1 : 0
