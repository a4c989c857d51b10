/**
 * `npm run build`: makes dist/ from src/, step by step; the first step that fails ends it. `node scripts/build.ts FOLDER`
 * makes it elsewhere, without a check of types, for tests of the package.
 */
import { chunks } from "./build/chunks.ts"
import { compile } from "./build/compile.ts"
import { effect4 } from "./build/effect4.ts"
import type { Step } from "./build/step.ts"

const steps: ReadonlyArray<Step> = [compile, chunks, effect4]

const [folder] = process.argv.slice(2)
const target = { out: folder ?? "dist", isChecked: folder === undefined }

for (const step of steps) {
  process.exitCode = await step(target)
  if (process.exitCode !== 0) break
}
