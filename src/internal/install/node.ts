/** Throws where Node is older than the package needs, before anything of it is used. */
import { nodeProblem } from "./requirements.ts"

const problem = typeof process === "object" ? nodeProblem(process.versions) : undefined
if (problem !== undefined) throw new Error(problem)
