/** Runs vitest and counts by its report, whichever Node it runs on. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: ReadonlyArray<{
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

export interface VitestOptions {
  /** Files, and flags of vitest's. */
  readonly args: ReadonlyArray<string>
  /** The Node to run on. @default the one of this process */
  readonly node?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Keeps the output back until the end, and shows it only if something failed. @default false */
  readonly quiet?: boolean | undefined
}

const script = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs")

const counts = (file: string): Counts => {
  const report = JSON.parse(readFileSync(file, "utf8")) as Report
  // A file that does not even load has no tests to count; it is one failure.
  const broken = report.testResults.filter(
    ({ assertionResults, status }) => status === "failed" && !assertionResults.some((one) => one.status === "failed")
  ).length
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests
  }
}

/** Runs vitest and counts its tests; a run that fails without a failed test counts as one failure. */
export const vitest = async ({ args, env, node = process.execPath, quiet = false }: VitestOptions): Promise<Counts> => {
  const folder = mkdtempSync(join(tmpdir(), "clientele-test-"))
  const file = join(folder, "report.json")
  const reporters = ["--reporter=scripts/reporter.ts", "--reporter=json", `--outputFile.json=${file}`]
  let output = ""
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(node, [script, "run", ...reporters, ...args], {
        env: { ...process.env, ...env },
        stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit"
      })
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding("utf8").on("data", (text: string) => (output += text))
      }
      child.once("error", reject)
      child.once("close", resolve)
    })
    const { failed, passed, skipped } = counts(file)
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
