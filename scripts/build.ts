/**
 * `npm run build`: makes dist/ from src/, step by step; the first step that fails ends it. `node scripts/build.ts FOLDER`
 * makes it elsewhere, without a check of types, for tests of the package. What dist/ holds already is not made again.
 */
import { chunks } from "./build/chunks.ts"
import { compile } from "./build/compile.ts"
import { effect4 } from "./build/effect4.ts"
import { builtAlready, remembering } from "./build/remember.ts"
import type { Step } from "./build/step.ts"

/** Make dist/, which tests of the package reuse. */
const own: ReadonlyArray<Step> = [compile, chunks]

const [folder] = process.argv.slice(2)
const target = { out: folder ?? "dist", isChecked: folder === undefined }
const isBuilt = folder === undefined && builtAlready() !== undefined
const remember = remembering()

const run = async (steps: ReadonlyArray<Step>): Promise<number> => {
  for (const step of steps) {
    const code = await step(target)
    if (code !== 0) return code
  }
  return 0
}

process.exitCode = isBuilt ? 0 : await run(own)
if (process.exitCode === 0 && folder === undefined && !isBuilt) remember()
if (process.exitCode === 0) process.exitCode = await run([effect4])
