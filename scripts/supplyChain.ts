/**
 * Checks the supply chain of this package: every entry of the lockfile comes from the registry with its hash, no
 * package that users get runs install scripts, and no known advisory is about one of those.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"

interface Locked {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), "utf8"))

const manifest = read("package.json") as {
  readonly scripts: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}
const lock = read("package-lock.json") as { readonly packages: Readonly<Record<string, Locked>> }

const parts = Object.entries(lock.packages).filter(([path, { link }]) => path !== "" && link !== true)
const faults: Array<string> = []

/** By those who install this package: its dependencies and theirs, and its peers. */
const isUsed = (path: string, dev: boolean | undefined): boolean =>
  dev !== true || Object.hasOwn(manifest.peerDependencies, path.replace(/^node_modules\//, ""))

for (const [path, { dev, hasInstallScript, integrity, resolved }] of parts) {
  if (integrity?.startsWith("sha512-") !== true) faults.push(`${path} has no SHA-512 in the lockfile`)
  // Without an address it is the registry's: the lockfile leaves those out.
  if (resolved !== undefined && !resolved.startsWith("https://registry.npmjs.org/"))
    faults.push(`${path} is not from the npm registry`)
  if (isUsed(path, dev) && hasInstallScript === true) faults.push(`${path} runs a script when users install it`)
}
for (const name of ["preinstall", "install", "postinstall"]) {
  if (manifest.scripts[name] !== undefined) faults.push(`package.json has a script ${name}, which users would run`)
}
const used = parts.filter(([path, { dev }]) => isUsed(path, dev)).length
console.log(`${parts.length} packages in the lockfile, ${used} of them for users, ${faults.length} faults`)

// As JSON: run by a script that is silent, npm says nothing else of a registry that has no answer.
const audit = spawnSync("npm", ["audit", "--omit=dev", "--json"], { encoding: "utf8" })

interface Audit {
  readonly vulnerabilities?: Readonly<Record<string, unknown>>
  readonly message?: string
}

const audited = (): Audit => {
  try {
    return JSON.parse(audit.stdout) as Audit
  } catch {
    return {}
  }
}

const { message = audit.stderr, vulnerabilities } = audited()
if (vulnerabilities === undefined) {
  console.log(`npm audit: SKIPPED, the registry does not support it (${message.split("\n", 1)[0]})`)
} else {
  const names = Object.keys(vulnerabilities)
  console.log(`npm audit: ${names.length} advisories`)
  if (names.length > 0) faults.push(`npm audit has advisories about what is shipped: ${names.join(", ")}`)
}

for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
