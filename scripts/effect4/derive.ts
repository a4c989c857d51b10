/**
 * Derives the sources for Effect 4 from those for Effect 3, into `effect4/build`, which git ignores. A module whose
 * design differs has a twin beside it, `X.v4.ts`, which is taken as it is.
 */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { ownPath } from "./imports.ts"
import { rules } from "./rules.ts"
import { Rules } from "./rewrite.ts"

const root = resolve(import.meta.dirname, "../..")
export const BUILD = join(root, "effect4/build")

const TWIN = /\.v4(?=\.[cm]?ts$)/

export interface Derived {
  /** Files that both lines share byte for byte. */
  readonly shared: number
  readonly rewritten: number
  readonly twins: number
}

const writeIfOther = (file: string, text: string): void => {
  if (existsSync(file) && readFileSync(file, "utf8") === text) return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** Files that no source stands for any more. */
const sweep = (folder: string, files: ReadonlySet<string>): void => {
  for (const file of globSync(`${folder}/**/*.{ts,cts,mts}`, { cwd: BUILD })) {
    if (!files.has(file)) rmSync(join(BUILD, file))
  }
}

export const derive = (folder: string, engine = new Rules(rules)): Derived => {
  const files = globSync(`${folder}/**/*.{ts,cts,mts}`, { cwd: root })
  const twins = new Set(files.filter((file) => TWIN.test(file)).map((file) => file.replace(TWIN, "")))
  const counts = { shared: 0, rewritten: 0, twins: 0 }
  const made = new Set<string>()
  for (const file of files.toSorted()) {
    const target = file.replace(TWIN, "")
    if (target === file && twins.has(file)) continue
    const text = readFileSync(join(root, file), "utf8")
    const derived = target === file ? engine.rewrite(file, text) : text
    counts[target === file ? (derived === text ? "shared" : "rewritten") : "twins"]++
    made.add(ownPath(target))
    writeIfOther(join(BUILD, ownPath(target)), derived)
  }
  sweep(folder, made)
  return counts
}

if (import.meta.main) {
  const engine = new Rules(rules)
  for (const folder of process.argv.slice(2)) console.log(folder, derive(folder, engine))
  for (const rule of engine.unused) console.log("unused:", rule)
}
