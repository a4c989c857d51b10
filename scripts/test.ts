/**
 * `npm test`: runs vitest, and closes with one plain line of counts taken from its report. Arguments go to vitest.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { provideRedis } from "./redis.ts"
import { run } from "./run.ts"

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly success: boolean
  readonly testResults: ReadonlyArray<{
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

provideRedis()

const folder = mkdtempSync(join(tmpdir(), "clientele-test-"))
const file = join(folder, "report.json")
const code = run(
  "vitest",
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${file}`,
  ...process.argv.slice(2)
)
try {
  const report = JSON.parse(readFileSync(file, "utf8")) as Report
  // A file that does not even load has no tests to count; it is one failure.
  const broken = report.testResults.filter(
    ({ assertionResults, status }) => status === "failed" && !assertionResults.some((one) => one.status === "failed")
  ).length
  const failed = report.numFailedTests + broken
  const skipped = report.numPendingTests > 0 ? `, ${report.numPendingTests} skipped` : ""
  console.log(`\n${report.numPassedTests} passed, ${failed} failed${skipped}`)
  process.exitCode = code !== 0 || failed > 0 || report.numPassedTests === 0 ? 1 : 0
} catch (error) {
  console.error(`vitest left no report: ${String(error)}`)
  console.log("\n0 passed, 1 failed")
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
