/** Looks at the Node and the Effect that are there, for code that runs before a module that needs them is linked. */
import { effectProblem, nodeProblem } from "./requirements.ts"
import { installed } from "./versions.ts"

/** One sentence; `undefined` if nothing is wrong. `folder` is this package's. */
export const problemIn = (folder: string): string | undefined =>
  nodeProblem(process.versions) ?? effectProblem(installed("effect", folder))
