/** Loaded first by each module that `require` gives: reports an unsuitable Node or Effect. */
import type * as Requirements from "./requirements.ts" with { "resolution-mode": "import" }

/** As in `requirements.ts`, which can't be loaded where this is needed. */
const isTooOld = (node: string): boolean => {
  const [major = 0, minor = 0] = node.split(".").map(Number)
  return major < 22 || (major === 22 && minor < 19)
}

/** A module without imports fails for one reason only: `require` takes no ES modules, as in Node before 22.12 and in Jest. */
const reason = (node: string): string =>
  isTooOld(node)
    ? `clientele needs Node 22.19 or later, and this is Node ${node}: install a newer Node`
    : "clientele has ES modules, which require can't load here: run Jest by node --experimental-vm-modules, on Node 24.9 or later"

const load = (): typeof Requirements => {
  try {
    return require("./requirements.js") as typeof Requirements
  } catch (cause) {
    throw new Error(reason(process.versions.node), { cause })
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
