/**
 * `npm run test:newest`: runs the core's tests on npm's newest Effect 4, which the line for Effect 4 does not allow before it
 * has been tried. Types and tests are counted and reported; an argument names another version. Exit code 0 only if all
 * hold, so that `EFFECT_4` of `manifest.ts` and the versions of `effect4/package.json` can be widened.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { run } from "../run.ts"
import { vitest } from "../vitest.ts"
import { CORE } from "./core.ts"
import { BUILD, ROOT, WORKSPACE } from "./paths.ts"

/** Has packages of its own. Within this one's root, so that SDKs are those of the other tests. */
const NEWEST = join(ROOT, "out/effect4-newest")

interface Manifest {
  readonly devDependencies: Readonly<Record<string, string>>
}

const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest

const versionIn = (folder: string): string =>
  (JSON.parse(readFileSync(join(folder, "node_modules/effect/package.json"), "utf8")) as { readonly version: string })
    .version

/** Packages whose versions are Effect's own; the others stay as they are tested. */
const isOfEffect = (name: string): boolean => name === "effect" || name.startsWith("@effect/")

const newestVersion = (): string =>
  (
    JSON.parse(execFileSync("npm", ["view", "effect@4", "version", "--json"], { encoding: "utf8" })) as Array<string>
  ).at(-1)!

const install = (version: string): number => {
  rmSync(NEWEST, { recursive: true, force: true })
  mkdirSync(NEWEST, { recursive: true })
  const { devDependencies, ...rest } = manifestIn(WORKSPACE)
  const others = Object.entries(devDependencies).map(([name, tested]) => [name, isOfEffect(name) ? "^4.0.0" : tested])
  const wanted = { ...rest, devDependencies: { ...Object.fromEntries(others), effect: version } }
  writeFileSync(join(NEWEST, "package.json"), JSON.stringify(wanted))
  for (const file of ["vitest.config.ts", "tsconfig.test.json"])
    writeFileSync(
      join(NEWEST, file),
      readFileSync(join(WORKSPACE, file), "utf8").replace('"../tsconfig', '"../../tsconfig')
    )
  cpSync(BUILD, join(NEWEST, "build"), { recursive: true })
  return run("npm", "install", "--prefix", NEWEST, "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
}

const [wanted = newestVersion()] = process.argv.slice(2)
const tested = manifestIn(WORKSPACE).devDependencies["effect"]
if (wanted === tested) {
  console.log(`Effect ${tested} is npm's newest, and is the one that all tests run on`)
} else {
  process.exitCode = run("node", join(ROOT, "scripts/effect4/main.ts"), "--tests") || install(wanted)
  if (process.exitCode === 0) {
    const version = versionIn(NEWEST)
    const types = run("tsc", "-p", join(NEWEST, "tsconfig.test.json"), "--noEmit")
    const { failed, passed } = await vitest({ args: CORE, workspace: NEWEST })
    console.log(`Effect ${version}: types ${types === 0 ? "hold" : "fail"}, ${passed} passed, ${failed} failed`)
    process.exitCode = types !== 0 || failed > 0 ? 1 : 0
  }
}
