/** Loaded first by each module that `require` gives: reports an unsuitable Node or Effect. */
import type * as Requirements from "./requirements.ts" with { "resolution-mode": "import" }

const load = (): typeof Requirements => {
  try {
    return require("./requirements.js") as typeof Requirements
  } catch (cause) {
    // A module without imports can fail for one reason only: before 22.12 Node can't `require` ES modules.
    const found = process.versions.node
    throw new Error(`clientele needs Node 22.19 or later, and this is Node ${found}: install a newer Node`, { cause })
  }
}

const versionOfEffect = (): string | undefined => {
  try {
    return (require("effect/package.json") as { readonly version: string }).version
  } catch {
    return undefined
  }
}

const { effectProblem, nodeProblem } = load()
const problem = nodeProblem(process.versions) ?? effectProblem(versionOfEffect())
if (problem !== undefined) throw new Error(problem)
