/**
 * `npm run bench`: measures what this package promises, each figure with its target beside it. A target that is missed
 * is shown as missed and is no failure of the bench; one that can't be measured is.
 */
import { availableParallelism, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { aborts } from "./aborts.ts"
import { adaptive } from "./adaptive.ts"
import { batch } from "./batch.ts"
import { type Bench, type Figure, round } from "./bench.ts"
import { budget } from "./budget.ts"
import { cancels } from "./cancels.ts"
import { command } from "./command.ts"
import { cpu } from "./cpu.ts"
import { direct } from "./direct.ts"
import { health } from "./health.ts"
import { heap, heapMillion } from "./heap.ts"
import { imports } from "./imports.ts"
import { inFlight } from "./inFlight.ts"
import { lease } from "./lease.ts"
import { models } from "./models.ts"
import { oneOffs } from "./oneOffs.ts"
import { origins } from "./origins.ts"
import { overload } from "./overload.ts"
import { promiseCpu } from "./promiseCpu.ts"
import { promiseExit } from "./promiseExit.ts"
import { promiseHeap } from "./promiseHeap.ts"
import { promiseHit } from "./promiseHit.ts"
import { quotaCpu } from "./quotaCpu.ts"
import { redis } from "./redis.ts"
import { sizes } from "./sizes.ts"
import { sockets } from "./sockets.ts"
import { waiting } from "./waiting.ts"
import { stream } from "./stream.ts"

const benches: ReadonlyArray<Bench> = [
  cpu,
  inFlight,
  promiseCpu,
  promiseHit,
  promiseHeap,
  promiseExit,
  models,
  direct,
  stream,
  batch,
  quotaCpu,
  budget,
  adaptive,
  redis,
  sockets,
  lease,
  waiting,
  origins,
  oneOffs,
  aborts,
  cancels,
  health,
  heap,
  heapMillion,
  imports,
  command,
  sizes,
  overload
]
const names = benches.map(({ name }) => name).join(", ")

const HELP = `usage: npm run bench -- [options]

  --only NAMES  these benches, with commas between or repeatable: ${names};
                overload and heap-million run only by name: they take 80 and 10 minutes
  --scenario S  scenarios of overload and stream whose name has S in it, repeatable
  --seeds N     seeds of each scenario of overload; 5, or 1 with --quick
  --quick       one run each instead of five, and shorter ones: about a fifth of the time
  --help        this text
`

const digits = ({ unit, value }: Figure): number => {
  if (unit === "%") return 1
  return unit === "x" || unit.startsWith("of ") || value < 10 ? 2 : 0
}

const shown = (figure: Figure, value: number): string => {
  const number = round(value, Number.isInteger(value) ? 0 : digits({ ...figure, value }))
  return figure.unit === "x" ? round(value, 2) : `${number} ${figure.unit}`
}

const target = (figure: Figure): string => {
  const { atLeast, atMost } = figure
  return [
    ...(atLeast === undefined ? [] : [`>= ${shown(figure, atLeast)}`]),
    ...(atMost === undefined ? [] : [`<= ${shown(figure, atMost)}`])
  ].join(", ")
}

const verdict = ({ atLeast, atMost, value }: Figure): string => {
  if (atLeast === undefined && atMost === undefined) return ""
  return value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity) ? "met" : "missed"
}

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ")
  return rows.map((row) => line(row).trimEnd()).join("\n")
}

const row = (name: string, figure: Figure): ReadonlyArray<string> => [
  name,
  figure.what,
  shown(figure, figure.value),
  target(figure),
  verdict(figure),
  figure.note ?? ""
]

const load = (): string =>
  loadavg()
    .map((value) => round(value, 1))
    .join(" ")

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      scenario: { type: "string", multiple: true },
      seeds: { type: "string" },
      quick: { type: "boolean" },
      help: { type: "boolean" }
    }
  })
  if (values.help === true) {
    console.log(HELP)
    return 0
  }
  const only = values.only?.flatMap((names) => names.split(","))
  const unknown = only?.find((name) => !benches.some((bench) => bench.name === name))
  if (unknown !== undefined) {
    console.error(`unknown bench "${unknown}"; benches: ${names}`)
    return 2
  }
  const quick = values.quick === true
  const runs = quick ? 1 : 5
  const seeds = values.seeds === undefined ? undefined : Number(values.seeds)
  if (seeds !== undefined && !(Number.isInteger(seeds) && seeds > 0)) {
    console.error(`--seeds is "${values.seeds}"; expected a whole number above 0`)
    return 2
  }
  console.log(`Node ${process.version}, ${availableParallelism()} cores, load ${load()}, medians of ${runs}`)
  const rows: Array<ReadonlyArray<string>> = [["bench", "figure", "measured", "target", "", "more"]]
  let broken = 0
  for (const bench of benches) {
    if (only === undefined ? bench.isLong === true : !only.includes(bench.name)) continue
    console.log(`\n${bench.name}: ${bench.about}`)
    try {
      for (const figure of await bench.run({ runs, quick, scenarios: values.scenario, seeds }))
        rows.push(row(bench.name, figure))
    } catch (error) {
      broken++
      console.error(`${bench.name} broke:`, error)
      rows.push([bench.name, "broke", "", "", "", error instanceof Error ? error.message : String(error)])
    }
  }
  console.log(`\n${table(rows)}\n`)
  console.log(`load at the end ${load()}`)
  return broken === 0 ? 0 : 1
}

process.exitCode = await main()
