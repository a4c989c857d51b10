/** Installs what the line for Effect 4 is compiled against and tested with, from its lockfile. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { run } from "../run.ts"
import { WORKSPACE } from "./paths.ts"

const lockfile = join(WORKSPACE, "package-lock.json")
/** The lockfile as it was installed. */
const installed = join(WORKSPACE, "node_modules/.installed-lock.json")

/** Its exit code. Does nothing where that is installed already. */
export const install = (): number => {
  const lock = readFileSync(lockfile, "utf8")
  if (existsSync(installed) && readFileSync(installed, "utf8") === lock) return 0
  const code = run("npm", "ci", "--prefix", WORKSPACE, "--no-audit", "--no-fund", "--loglevel=error")
  if (code === 0) writeFileSync(installed, lock)
  return code
}
