/** `clientele doctor`: what is installed, against what this package needs. Loads none of it, so it runs with any of it. */
import { effectProblem, nodeProblem } from "../internal/install/requirements.ts"
import { installed, satisfies } from "../internal/install/versions.ts"
import { folder, manifest } from "./manifest.ts"
import { parse } from "./usage.ts"

const HELP = `usage: clientele doctor

Lists the versions of Node, Effect and the SDKs that are installed, each with the required range. Exit code 1
if one is missing or out of range.

  --help   this text
`

interface Finding {
  readonly state: "ok" | "none" | "problem"
  readonly text: string
}

const node = (): Finding => {
  const problem = nodeProblem(process.versions)
  return problem === undefined
    ? { state: "ok", text: `Node ${process.versions.node} (${manifest.engines.node})` }
    : { state: "problem", text: problem }
}

const withinRange = (name: string, range: string, isOptional: boolean): Finding => {
  const version = installed(name, folder)
  if (name === "effect") {
    const problem = effectProblem(version)
    if (problem !== undefined) return { state: "problem", text: problem }
  }
  if (version === undefined && isOptional) return { state: "none", text: `${name} (optional, ${range})` }
  if (version !== undefined && satisfies(version, range)) return { state: "ok", text: `${name} ${version} (${range})` }
  const remedy = `run npm install "${name}@${range}"`
  return { state: "problem", text: `clientele needs ${name} ${range}, and finds ${version ?? "none"}: ${remedy}` }
}

/** Values of one copy of Effect are foreign to another. */
const oneEffect = (): ReadonlyArray<Finding> => {
  const [ours, theirs] = [installed("effect", folder), installed("effect", process.cwd())]
  if (ours === undefined || theirs === undefined || ours === theirs) return []
  const text = `clientele resolves effect ${ours}, and this folder effect ${theirs}: install one for both, then run npm dedupe`
  return [{ state: "problem", text }]
}

const findings = (): ReadonlyArray<Finding> => [
  node(),
  ...Object.entries(manifest.peerDependencies).map(([name, range]) =>
    withinRange(name, range, manifest.peerDependenciesMeta[name]?.optional === true)
  ),
  ...oneEffect()
]

const MARKS: Readonly<Record<Finding["state"], string>> = { ok: "ok       ", none: "none     ", problem: "PROBLEM  " }

export const run = async (args: ReadonlyArray<string>): Promise<number> => {
  if (parse(args, { help: { type: "boolean", short: "h" } }, "doctor")["help"] === true) {
    process.stdout.write(HELP)
    return 0
  }
  const found = findings()
  for (const { state, text } of found) process.stdout.write(`${MARKS[state]}${text}\n`)
  return found.some(({ state }) => state === "problem") ? 1 : 0
}
