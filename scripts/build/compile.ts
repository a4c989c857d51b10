/** Compiles src/: declarations with their maps, and JavaScript, a file for each source. */
import { run } from "../run.ts"
import type { Step } from "./step.ts"

/** Types are checked only for `npm run build` itself: other builds follow a check. */
export const compile: Step = ({ isChecked, out }) =>
  run(
    "tsc",
    "-p",
    "tsconfig.build.json",
    "--outDir",
    out,
    ...(isChecked ? [] : ["--incremental", "false", "--noCheck"])
  )
