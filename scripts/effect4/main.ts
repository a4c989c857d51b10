/**
 * `npm run build`: derives the package for Effect 4 into `effect4/build`, compiles it against that Effect, and makes it
 * ready to be packed; any type error fails. `--tests` derives the tests as well, and compiles nothing; with `--unused`
 * it names the rules that apply nowhere.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { joinModules } from "../build/chunks.ts"
import { run } from "../run.ts"
import { derive, type Derived } from "./derive.ts"
import { install } from "./install.ts"
import { manifestOf } from "./manifest.ts"
import { BUILD, ROOT, WORKSPACE } from "./paths.ts"
import { rewriteText } from "./texts.ts"

const COPIED = ["SECURITY.md", "LICENSE"]
const TEXTS = ["CHANGELOG.md", "README.md", "docs"]

const complete = ({ pending }: Derived): void => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as never
  writeFileSync(join(BUILD, "package.json"), `${JSON.stringify(manifestOf(manifest, pending), null, 2)}\n`)
  for (const file of COPIED) cpSync(join(ROOT, file), join(BUILD, file))
  for (const part of TEXTS) rewriteText(part)
}

const withTests = process.argv.includes("--tests")
const code = install()
if (code === 0) {
  const derived = derive(withTests ? ["src", "test", "scripts", "bench", "examples"] : ["src"])
  const { pending, rewritten, shared, twins, unused } = derived
  complete(derived)
  if (!withTests)
    console.log(`Effect 4: ${shared} files shared, ${rewritten} rewritten, ${twins} twins, ${pending.size} pending`)
  if (process.argv.includes("--unused")) for (const rule of unused) console.log(`unused rule: ${rule}`)
  rmSync(join(BUILD, "dist/.tsbuildinfo"), { force: true })
  // Derived tests run on the sources, which the build compiles.
  if (!withTests) {
    process.exitCode = run(process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), "-p", WORKSPACE)
    if (process.exitCode === 0) await joinModules({ root: BUILD, out: join(BUILD, "dist") })
  }
} else {
  process.exitCode = code
}
