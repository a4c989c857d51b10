/**
 * Node itself in other versions than the running one, from npm's registry, each into a folder of its own in the user's
 * cache. What is there already needs no network, save to learn which version is the newest.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "clientele")

const npm = (...args: ReadonlyArray<string>): string => {
  const { error, status, stderr, stdout } = spawnSync("npm", args, { encoding: "utf8" })
  if (status === 0) return stdout
  throw new Error(`npm ${args.join(" ")}: ${error?.message ?? stderr.trim().split("\n")[0] ?? status}`)
}

const numbers = (version: string): ReadonlyArray<number> => version.split(".").map(Number)

const compare = (a: string, b: string): number => {
  const [one, other] = [numbers(a), numbers(b)]
  const at = one.findIndex((part, i) => part !== other[i])
  return at === -1 ? 0 : one[at]! - (other[at] ?? 0)
}

/** Releases in the registry that a range allows, oldest first. Throws if there are none. */
const published = (name: string, range: string): ReadonlyArray<string> => {
  const answer = npm("view", `${name}@${range}`, "version", "--json").trim()
  const found = answer === "" ? [] : ([JSON.parse(answer)].flat() as ReadonlyArray<string>)
  const releases = found.filter((version) => /^\d+\.\d+\.\d+$/.test(version)).sort(compare)
  if (releases.length === 0) throw new Error(`there is no ${name} ${range} in the registry`)
  return releases
}

/** The folder of a package in exactly this version, which is looked up and downloaded if need be. */
const provide = (name: string, version: string): string => {
  const folder = join(cache, `${name}-${version}`)
  const made = join(folder, "node_modules", name)
  if (existsSync(made)) return made
  published(name, version)
  mkdirSync(cache, { recursive: true })
  // Whole or not at all: a folder that was interrupted, or that another process is about to make, counts for nothing.
  const temporary = mkdtempSync(join(cache, "download-"))
  try {
    npm("install", "--silent", "--ignore-scripts", "--no-save", "--prefix", temporary, `${name}@${version}`)
    if (!existsSync(made)) renameSync(temporary, folder)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  return made
}

const platform = process.platform === "win32" ? "win" : process.platform
/** The package that holds nothing but Node's binary for this platform. */
const nodePackage = `node-${platform}-${process.arch}`

/** The path of Node's binary in this version, for instance `22.19.0`; the running one needs no download. */
export const provideNode = (version: string): string => {
  if (process.version === `v${version}`) return process.execPath
  const name = process.platform === "win32" ? "node.exe" : "node"
  return join(provide(nodePackage, version), "bin", name)
}

interface Manifest {
  readonly engines: { readonly node: string }
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest

/** The oldest Node that this package allows, and the newest release of all. */
export const nodeRange = (): { readonly oldest: string; readonly newest: string } => {
  const range = manifestOf(root).engines.node
  const [major = 0, minor = 0, patch = 0] = numbers(range.replace(">=", ""))
  const newest = published(nodePackage, range).at(-1)!
  return { oldest: `${major}.${minor}.${patch}`, newest }
}
