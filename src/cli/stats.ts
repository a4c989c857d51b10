/** `clientele stats`: what is in a run's journal. */
import { existsSync } from "node:fs"
import { UsageError } from "./exit.ts"
import { parseWithOperands } from "./usage.ts"

const HELP = `usage: clientele stats RUN [options]

What a run has done so far, read from its journal: rows, failures by reason, tokens, cost, latency. The run may be going on.

  RUN      a journal, or the file of results beside it
  --json   one line of JSON
  --help   this text

exit codes: 0; 2 called wrongly; 4 the journal can't be read
`

const FLAGS = { json: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const

/** The journal beside a file of results has its name. */
const journalOf = (given: string): string => {
  const beside = `${given.replace(/\.(jsonl|ndjson|json|csv|tsv|tab)$/i, "")}.journal.jsonl`
  const found = /\.journal(\.\d+)?\.jsonl$/i.test(given) ? given : existsSync(beside) ? beside : given
  if (!existsSync(found)) throw new UsageError(`can't read ${given}: no such file, nor a journal beside it`)
  return found
}

export const run = async (args: ReadonlyArray<string>): Promise<number> => {
  const { operands, values } = parseWithOperands(args, FLAGS, "stats")
  if (values["help"] === true) {
    process.stdout.write(HELP)
    return 0
  }
  const [given, ...more] = operands
  if (given === undefined) throw new UsageError("no run is given; name its journal, such as rows.results.journal.jsonl")
  if (more.length > 0) throw new UsageError(`unexpected argument "${more[0]}" of stats; one run is expected`)
  const { printStats } = await import("./run/stats.ts")
  return printStats(journalOf(given), values["json"] === true)
}
