/** Installed versions, against those that this package needs. Loads none of it, so it runs with any of it. */
import { effectProblem, nodeProblem } from "../../internal/install/requirements.ts"
import { installed, satisfies } from "../../internal/install/versions.ts"
import { folder, manifest } from "../manifest.ts"
import { type Finding, none, ok, problem } from "./finding.ts"

const node = (): Finding => {
  const found = nodeProblem(process.versions)
  return found === undefined ? ok(`Node ${process.versions.node} (${manifest.engines.node})`) : problem(found)
}

const withinRange = (name: string, range: string, isOptional: boolean): Finding => {
  const version = installed(name, folder)
  if (name === "effect") {
    const found = effectProblem(version)
    if (found !== undefined) return problem(found)
  }
  if (version === undefined && isOptional) return none(`${name} (optional, ${range})`)
  if (version !== undefined && satisfies(version, range)) return ok(`${name} ${version} (${range})`)
  const remedy = `run npm install "${name}@${range}"`
  return problem(`clientele needs ${name} ${range}, and finds ${version ?? "none"}: ${remedy}`)
}

/** Values of one copy of Effect are foreign to another. */
const oneEffect = (): ReadonlyArray<Finding> => {
  const [ours, theirs] = [installed("effect", folder), installed("effect", process.cwd())]
  if (ours === undefined || theirs === undefined || ours === theirs) return []
  return [
    problem(
      `clientele resolves effect ${ours}, and this folder effect ${theirs}: install one for both, then run npm dedupe`
    )
  ]
}

export const versions = (): ReadonlyArray<Finding> => [
  node(),
  ...Object.entries(manifest.peerDependencies).map(([name, range]) =>
    withinRange(name, range, manifest.peerDependenciesMeta[name]?.optional === true)
  ),
  ...oneEffect()
]
