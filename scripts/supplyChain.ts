/**
 * Checks the supply chain of this package: every entry of the lockfile comes from the registry with its hash, no
 * package that users get runs install scripts, and no known advisory is about one of those. Packages that are bundled into the
 * command count as those that users get, and have a license that allows it.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { bundledPackages } from "./build/vendored.ts"

interface Locked {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
  readonly license?: string
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), "utf8"))

const manifest = read("package.json") as {
  readonly scripts: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}
const lock = read("package-lock.json") as { readonly packages: Readonly<Record<string, Locked>> }

const parts = Object.entries(lock.packages).filter(([path, { link }]) => path !== "" && link !== true)
const faults: Array<string> = []

const bundled = await bundledPackages()

/** Licenses under which code may be part of this package, with a notice. */
const ALLOWED_LICENSES = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"]

for (const name of bundled) {
  const license = lock.packages[`node_modules/${name}`]?.license ?? "none"
  if (!ALLOWED_LICENSES.includes(license)) faults.push(`${name} is bundled, and its license is ${license}`)
}

/** By those who install this package: its dependencies and theirs, its peers, and what is bundled. */
const isUsed = (path: string, dev: boolean | undefined): boolean => {
  const name = path.replace(/^node_modules\//, "")
  return dev !== true || Object.hasOwn(manifest.peerDependencies, name) || bundled.includes(name)
}

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
console.log(
  `${parts.length} packages in the lockfile, ${used} of them for users, ${bundled.length} bundled (${bundled.join(", ")}), ${faults.length} faults`
)

interface Audit {
  readonly vulnerabilities?: Readonly<Record<string, unknown>>
  readonly message?: string
}

/** As JSON: run by a script that is silent, npm says nothing else of a registry that has no answer. */
const audited = (...flags: ReadonlyArray<string>): Audit => {
  const { stderr, stdout } = spawnSync("npm", ["audit", "--json", ...flags], { encoding: "utf8" })
  try {
    return JSON.parse(stdout) as Audit
  } catch {
    return { message: stderr }
  }
}

const shipped = audited("--omit=dev")
const all = audited()
if (shipped.vulnerabilities === undefined || all.vulnerabilities === undefined) {
  const { message = "" } = shipped.vulnerabilities === undefined ? shipped : all
  console.log(`npm audit: SKIPPED, the registry does not support it (${message.split("\n", 1)[0]})`)
} else {
  const inBundle = Object.keys(all.vulnerabilities).filter((name) => bundled.includes(name))
  const names = [...new Set([...Object.keys(shipped.vulnerabilities), ...inBundle])]
  console.log(`npm audit: ${names.length} advisories`)
  if (names.length > 0) faults.push(`npm audit has advisories about what is shipped: ${names.join(", ")}`)
}

for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
