/**
 * Remembers which sources dist/ was built from, and what came out, so that neither `npm run build` nor tests of the package
 * build again what is there.
 */
import { createHash } from "node:crypto"
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const ROOT = resolve(import.meta.dirname, "../..")
const DIST = join(ROOT, "dist")
const FILE = join(ROOT, ".tsbuildinfo/dist.json")

const SOURCES = [
  "src/**",
  "scripts/build/**",
  "scripts/{build,run}.ts",
  "tsconfig*.json",
  "package.json",
  "package-lock.json"
]

/** The compiler's own memory, which is not published. */
export const isPublished = (file: string): boolean => !file.endsWith(".tsbuildinfo")

interface Build {
  /** Hashes of names and contents. */
  readonly sources: string
  readonly outputs: string
  /** False if dist/ had files of earlier sources when it was built, some of which may be left. */
  readonly isFromEmpty: boolean
}

const hashOf = (folder: string, globs: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
  const found = globSync([...globs], { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile())
  const files = found.map((entry) => join(entry.parentPath, entry.name)).filter(isPublished)
  for (const file of files.toSorted()) {
    const content = readFileSync(file)
    hash.update(`${relative(folder, file)} ${content.length}\n`).update(content)
  }
  return hash.digest("hex")
}

const remembered = (): Build | undefined =>
  existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Build) : undefined

/** Hashes of the sources and of dist/ at present. */
const present = (): Pick<Build, "outputs" | "sources"> => ({
  sources: hashOf(ROOT, SOURCES),
  outputs: hashOf(DIST, ["**"])
})

/** The build that dist/ holds, if it is one of the present sources and nobody has touched it. */
export const builtAlready = (): Build | undefined => {
  const build = remembered()
  if (build === undefined) return undefined
  const { outputs, sources } = present()
  return build.sources === sources && build.outputs === outputs ? build : undefined
}

/** Is called before dist/ is built; what it returns, after that. */
export const remembering = (): (() => void) => {
  const isFromEmpty = !existsSync(DIST)
  return () => {
    mkdirSync(dirname(FILE), { recursive: true })
    writeFileSync(FILE, JSON.stringify({ ...present(), isFromEmpty } satisfies Build))
  }
}
