/** Runs vitest, on whichever Node, and reads the counts of its reporter. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Counts } from "./reporter.ts"

export type { Counts }

export interface VitestOptions {
  /** Files, and flags of vitest's. */
  readonly args: ReadonlyArray<string>
  /** The Node to run on. @default the one of this process */
  readonly node?: string | undefined
  /** Folder with derived tests for Effect 4 in `build`, and their own Vitest. @default this package */
  readonly workspace?: string | undefined
  /** Keeps the output back until the end, and shows it only if something failed. @default false */
  readonly quiet?: boolean | undefined
}

const root = join(import.meta.dirname, "..")

/** Runs vitest and counts its tests; a run that fails without a failed test counts as one failure. */
export const vitest = async ({
  args,
  node = process.execPath,
  quiet = false,
  workspace
}: VitestOptions): Promise<Counts> => {
  const folder = mkdtempSync(join(tmpdir(), "clientele-test-"))
  const file = join(folder, "counts.json")
  let output = ""
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const cwd = workspace === undefined ? root : join(workspace, "build")
      const script = join(workspace ?? root, "node_modules/vitest/vitest.mjs")
      const config = workspace === undefined ? [] : [`--config=${join(workspace, "vitest.config.ts")}`]
      const reporter = `--reporter=${join(cwd, "scripts/reporter.ts")}`
      const child = spawn(node, [script, "run", reporter, ...config, ...args], {
        cwd,
        env: { ...process.env, CLIENTELE_COUNTS: file },
        stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit"
      })
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding("utf8").on("data", (text: string) => (output += text))
      }
      child.once("error", reject)
      child.once("close", resolve)
    })
    const { failed, passed, skipped } = JSON.parse(readFileSync(file, "utf8")) as Counts
    const bad = code !== 0 || passed === 0
    if (bad) console.log(output)
    return { passed, skipped, failed: bad ? Math.max(1, failed) : failed }
  } catch (error) {
    console.error(`${output}\nvitest left no report: ${String(error)}`)
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
