/**
 * Derives the sources for Effect 4 from those for Effect 3, into `effect4/build`, which git ignores. A module whose
 * design differs has a twin beside it, `X.v4.ts`, which is taken as it is.
 */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { ownPath } from "./imports.ts"
import { BUILD, ROOT } from "./paths.ts"
import { pendingIn } from "./pending.ts"
import { Rules } from "./rewrite.ts"
import { rules } from "./rules.ts"
import { rewriteComments } from "./texts.ts"

const TWIN = /\.v4(?=\.[cm]?ts$)/

export interface Derived {
  /** Files that both lines share byte for byte. */
  readonly shared: number
  readonly rewritten: number
  readonly twins: number
  readonly pending: ReadonlySet<string>
  readonly unused: ReadonlyArray<string>
}

/** Files that are as they were keep their time, by which the compiler finds what to compile. */
const writeIfOther = (file: string, text: string): void => {
  if (existsSync(file) && readFileSync(file, "utf8") === text) return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

const filesIn = (folder: string, cwd: string): ReadonlyArray<string> =>
  globSync(`${folder}/**/*.{ts,cts,mts}`, { cwd }).toSorted()

export const derive = (folders: ReadonlyArray<string>): Derived => {
  const engine = new Rules(rules)
  const sources = new Map(
    folders.flatMap((folder) => filesIn(folder, ROOT)).map((file) => [file, readFileSync(join(ROOT, file), "utf8")])
  )
  const pending = pendingIn(sources)
  const counts = { shared: 0, rewritten: 0, twins: 0 }
  const made = new Set<string>()
  for (const [file, text] of sources) {
    const isTwin = TWIN.test(file)
    if (pending.has(file) || (!isTwin && sources.has(file.replace(/(?=\.[cm]?ts$)/, ".v4")))) continue
    const code = isTwin ? text : engine.rewrite(file, text)
    const derived = file.startsWith("src/") ? rewriteComments(code) : code
    counts[isTwin ? "twins" : derived === text ? "shared" : "rewritten"]++
    const target = ownPath(file.replace(TWIN, ""))
    made.add(target)
    writeIfOther(join(BUILD, target), derived)
  }
  for (const file of folders.flatMap((folder) => filesIn(folder, BUILD))) if (!made.has(file)) rmSync(join(BUILD, file))
  return { ...counts, pending, unused: engine.unused }
}
