/** The Node and the Effect that the package needs, and the one sentence that names what is there instead and the remedy. */

/** As in package.json's `engines`. */
export const NODE = "22.19"

/** Brings Effect in the line that package.json's `peerDependencies` name. */
export const INSTALL = "npm install effect@4.1"

const isOlder = (version: string, least: string): boolean => {
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [version, least].map((text) =>
    text.split(".").map(Number)
  ) as [Array<number>, Array<number>]
  return major < leastMajor || (major === leastMajor && minor < leastMinor)
}

/** `versions` is the process's. Bun and Deno name a version of Node that they resemble, which is not their own. */
export const nodeProblem = (versions: Readonly<Record<string, string | undefined>> | undefined): string | undefined => {
  const node = versions?.["node"]
  if (node === undefined || versions?.["bun"] !== undefined || versions?.["deno"] !== undefined) return undefined
  return isOlder(node, NODE)
    ? `clientele needs Node ${NODE} or later, and this is Node ${node}: install a newer Node`
    : undefined
}

/** `version` is the installed one, `undefined` for none. */
export const effectProblem = (version: string | undefined): string | undefined => {
  if (version === undefined) return `clientele 4 needs Effect 4, and finds no effect: run ${INSTALL}`
  if (version.startsWith("4.1.")) return undefined
  const other = version.startsWith("3.") ? ", or npm install clientele@3 for Effect 3" : ""
  return `clientele 4 needs Effect 4.1, and finds effect ${version}: run ${INSTALL}${other}`
}
