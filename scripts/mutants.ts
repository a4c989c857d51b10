/**
 * `npm run mutants`: does the test of histories see what it is for? Each mutant is one fault put into a copy of the
 * sources; 1,500 schedules must find it. Prints how many were killed, and fails if one survives, if the sources
 * as they are do not pass, or if a fault no longer fits its source.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

interface Mutant {
  readonly what: string
  readonly test: "LeaseMap" | "Quota" | "Credential"
  readonly file: string
  /** Stands in the file once. */
  readonly search: string
  readonly replacement: string
}

const mutants: ReadonlyArray<Mutant> = [
  {
    what: "a lease of a value whose release has begun",
    test: "LeaseMap",
    file: "src/internal/lease/entry.ts",
    search: `if (this.status === "ended") return false`,
    replacement: ""
  },
  {
    what: "a value that was invalidated under a lease stays for its idle time",
    test: "LeaseMap",
    file: "src/internal/lease/registry.ts",
    search: "found.isInvalidated = true",
    replacement: ""
  },
  {
    what: "the end of an old value removes the entry of the new one",
    test: "LeaseMap",
    file: "src/internal/lease/registry.ts",
    search: "if (Option.isSome(found) && found.value === entry)",
    replacement: "if (Option.isSome(found))"
  },
  {
    what: "a value that goes idle wakes no waiter for room",
    test: "LeaseMap",
    file: "src/internal/lease/registry.ts",
    search: "this.trim()\n    this.serve()",
    replacement: "this.trim()"
  },
  {
    what: "one more in flight than maxConcurrency",
    test: "Quota",
    file: "src/internal/quota/modelLimiter.ts",
    search: "if (this.queued > 0 || this.#inFlight >= this.concurrency) return undefined",
    replacement: "if (this.queued > 0 || this.#inFlight > this.concurrency) return undefined"
  },
  {
    what: "usage is added to the estimate",
    test: "Quota",
    file: "src/internal/quota/modelLimiter.ts",
    search: "this.#correct(permit, 0, tokens - permit.tokens)",
    replacement: "this.#correct(permit, 0, tokens)"
  },
  {
    what: "unused permits are not returned to a shared budget",
    test: "Quota",
    file: "src/internal/quota/modelLimiter.ts",
    search: "if (isTaken) remote.correct(-1, -entry.cost, this.#limits)",
    replacement: ""
  },
  {
    what: "a late waiter gets a token refused meanwhile",
    test: "Credential",
    file: "src/internal/credential/keeper.ts",
    search: "now < found.expiresAt && !found.refused",
    replacement: "now < found.expiresAt"
  },
  {
    what: "a new use joins the load of an old version",
    test: "Credential",
    file: "src/internal/credential/keeper.ts",
    search: "if (under === undefined || under.version !== version)",
    replacement: "if (under === undefined)"
  },
  {
    what: "a load that was under way brings the refused secret back",
    test: "Credential",
    file: "src/internal/credential/keeper.ts",
    search: "refusals !== this.#refusals && this.#isRefused(secret)",
    replacement: "refusals < 0"
  }
]

const folder = mkdtempSync(join(tmpdir(), "clientele-mutants-"))
for (const part of ["src", "test", "scripts", "package.json", "tsconfig.json", "vitest.config.ts"]) {
  cpSync(part, join(folder, part), { recursive: true })
}
symlinkSync(resolve("node_modules"), join(folder, "node_modules"))

/** Schedules of each, the same in each run. A mutant that hangs is killed too. */
const env = { SCHEDULES: "1500", SEED: "1", SHRINK: "0", ...process.env }

const passes = (...tests: ReadonlyArray<string>): { readonly passed: boolean; readonly why: string } => {
  const files = tests.map((test) => `test/history/${test}.test.ts`)
  const options = { cwd: folder, encoding: "utf8", env, timeout: 180_000 } as const
  const { error, status, stdout } = spawnSync(
    resolve("node_modules/.bin/vitest"),
    ["run", "--reporter=default", ...files],
    options
  )
  const why = /^Got error: (.*)$|^AssertionError: (.*)$/m.exec(stdout)
  return { passed: status === 0, why: why?.[1] ?? why?.[2] ?? error?.message ?? stdout.slice(-2_000) }
}

const problems: Array<string> = []
let killed = 0
try {
  const whole = passes("LeaseMap", "Quota", "Credential")
  if (!whole.passed) problems.push(`the sources as they are do not pass: ${whole.why}`)
  for (const { file, replacement, search, test, what } of whole.passed ? mutants : []) {
    const path = join(folder, file)
    const source = readFileSync(path, "utf8")
    if (source.split(search).length !== 2) {
      problems.push(`${file} no longer has this text once: ${search}`)
      continue
    }
    writeFileSync(
      path,
      source.replace(search, () => replacement)
    )
    const { passed, why } = passes(test)
    writeFileSync(path, source)
    if (passed) problems.push(`survives: ${what} (${file})`)
    else killed++
    console.log(`${passed ? "SURVIVES" : "killed"}: ${what}${passed ? "" : `, by "${why}"`}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`\n${killed} of ${mutants.length} mutants killed`)
for (const problem of problems) console.error(problem)
process.exitCode = killed === mutants.length ? 0 : 1
