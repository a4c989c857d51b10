/** `npm start`: see --help. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type End, measured, OPEN_FILES, watched } from "./command.ts"
import * as Sandbox from "./sandbox.ts"
import { BASE_URLS } from "./setups.ts"
import { compare, count, render, type Report } from "./table.ts"

const HELP = `usage: npm start
       npm start -- [options]

Runs the command of this package, clientele run, on 3,201 films against a server on this machine. Then compares: the same
rows by an agent that leases one of twelve clients, and by one that makes a client for each row.

  --out FILE         file of results (default out/movies.jsonl)
  --concurrency N    rows at a time (default 1000)
  --limit N          rows (default all)
  --latency MS       latency of the server (default 2000)
  --help             this text
`

const MOVIES = fileURLToPath(new URL("../data/movies.json", import.meta.resolve("vega-datasets")))
const PROMPT = "Sum up in one sentence: {{Title}} ({{Major Genre}}, {{Release Date}})"
const OURS = fileURLToPath(new URL("agent.ts", import.meta.url))
const THEIRS = fileURLToPath(new URL("today.ts", import.meta.url))
/** Names of columns fit beside it in 80 characters. */
const NAME_CHARACTERS = 14

const flags = () => {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: "out/movies.jsonl" },
      concurrency: { type: "string", default: "1000" },
      limit: { type: "string" },
      latency: { type: "string", default: "2000" },
      help: { type: "boolean", short: "h" }
    }
  })
  return values
}

const words = (args: ReadonlyArray<string>): string =>
  args.map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : `"${arg}"`)).join(" ")

/** One line for a run, rewritten in a terminal. */
const show =
  (name: string) =>
  ({ done, failed, running }: { readonly done: number; readonly failed: number; readonly running: number }): void => {
    if (process.stderr.isTTY !== true) return
    const line = `${name.padEnd(NAME_CHARACTERS)} ${count(done)} rows done, ${count(failed)} failed, ${count(running)} at work`
    process.stderr.write(`\r${line}\u001B[K`)
  }

const main = async (): Promise<number> => {
  const { help, limit, out, ...values } = flags()
  if (help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const folder = mkdtempSync(join(tmpdir(), "clientele-"))
  const caFile = join(folder, "ca.pem")
  const sandbox = await Sandbox.start(Number(values.latency), caFile)
  try {
    const common = ["--concurrency", values.concurrency, ...(limit === undefined ? [] : ["--limit", limit])]
    const trust = { NODE_EXTRA_CA_CERTS: caFile }
    const args = [MOVIES, "--prompt", PROMPT, "--model", "openai:gpt-5-mini", "--out", out, "--overwrite", ...common]
    // Each sandbox has an address of its own, and so would be another run in the journal of the one before.
    const journal = out.replace(/(\.\w+)?$/, ".journal.jsonl")
    if (existsSync(journal)) rmSync(journal)
    console.log(`$ clientele run ${words(args)}`)
    const code = await watched(args, {
      ...trust,
      OPENAI_API_KEY: "sk-sandbox",
      OPENAI_BASE_URL: sandbox.baseURL.openai
    })
    if (code !== 0) return code
    console.log(`\nThe same rows over 12 configurations of 3 SDKs, with ${count(OPEN_FILES)} files a process:\n`)
    const measure = async (name: string, agent: string): Promise<End & { readonly sockets: number }> => {
      await sandbox.resetCounts()
      const args = [MOVIES, "--agent", agent, "--out", join(folder, `${name}.jsonl`), "--no-journal", ...common]
      const end = await measured(args, { ...trust, [BASE_URLS]: JSON.stringify(sandbox.baseURL) }, show(name))
      if (process.stderr.isTTY === true) process.stderr.write("\r\u001B[K")
      if (typeof end === "number") throw new Error(`${name}: the run ended with exit code ${end}`)
      return { ...end, sockets: await sandbox.peakSockets() }
    }
    const leased = await measure("clientele", OURS)
    const ours: Report = { ...leased, clients: leased.clientsBuilt, hits: leased.clientHits }
    if (ours.exitCode > 1) return ours.exitCode
    const made = await measure("a client a row", THEIRS)
    const theirs: Report = { ...made, clients: made.done + made.failed, hits: null }
    if (theirs.exitCode > 1) return theirs.exitCode
    console.log(`${render({ clientele: ours, "a client a row": theirs })}\n\n${compare(ours, theirs)}`)
    return ours.failed === 0 ? 0 : 1
  } finally {
    sandbox.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  process.exitCode = 1
  console.error(error instanceof Error ? error.message : error)
}
