/**
 * `npm run bench`: measures what this package promises, each figure with its target beside it. A target that is missed
 * is shown as missed and is no failure of the bench; one that can't be measured is.
 */
import { availableParallelism, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { derive } from "../scripts/effect4/derive.ts"
import { aborts } from "./aborts.ts"
import { adaptive } from "./adaptive.ts"
import { batch } from "./batch.ts"
import { type Bench, type Figure, type Options, round } from "./bench.ts"
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
import { has, type Line, onLine } from "./line.ts"
import { models } from "./models.ts"
import { oneOffs } from "./oneOffs.ts"
import { origins } from "./origins.ts"
import { overload } from "./overload.ts"
import { promiseCpu } from "./promiseCpu.ts"
import { promiseExit } from "./promiseExit.ts"
import { promiseHeap } from "./promiseHeap.ts"
import { promiseHit } from "./promiseHit.ts"
import { providers } from "./providers.ts"
import { quotaCpu } from "./quotaCpu.ts"
import { redis } from "./redis.ts"
import { sizes } from "./sizes.ts"
import { sockets } from "./sockets.ts"
import { BOTH_HEADINGS, HEADINGS, rowsOf, rowsOfBoth, table } from "./table.ts"
import { waiting } from "./waiting.ts"
import { stream } from "./stream.ts"

const benches: ReadonlyArray<Bench> = [
  cpu,
  inFlight,
  promiseCpu,
  providers,
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
const namesOf = (benches: Iterable<Bench>): string => [...benches].map(({ name }) => name).join(", ")

/** Benches that can measure the package for Effect 4, with the file of their processes, and those that do by themselves. */
const compared = new Map<Bench, string>([
  [cpu, "cpuWorker.ts"],
  [lease, "leaseWorker.ts"],
  [models, "modelsWorker.ts"],
  [promiseCpu, "cpuWorker.ts"],
  [imports, "importWorker.ts"],
  [heap, "heapWorker.ts"]
])
const workersOn4 = new Map<Bench, string>([
  ...compared,
  [inFlight, "cpuWorker.ts"],
  [quotaCpu, "cpuWorker.ts"],
  [providers, "providersWorker.ts"],
  [direct, "directWorker.ts"],
  [stream, "streamWorker.ts"],
  [promiseHit, "promiseHitWorker.ts"],
  [promiseHeap, "promiseHeapWorker.ts"],
  [sockets, "crowdWorker.ts"],
  [origins, "crowdWorker.ts"],
  [waiting, "waitingWorker.ts"],
  [heapMillion, "heapWorker.ts"]
])

const HELP = `usage: npm run bench -- [options]

  --only NAMES  these benches, with commas between or repeatable: ${namesOf(benches)};
                overload and heap-million run only by name: they take 80 and 10 minutes
  --effect N    the package for Effect 3 or for Effect 4; 3 unless given. Given twice, the two are measured in turn and stand side
                by side: ${namesOf(compared.keys())}, and by name
                ${namesOf([...workersOn4.keys()].filter((bench) => !compared.has(bench)))}
  --scenario S  scenarios of overload and stream whose name has S in it, repeatable
  --seeds N     seeds of each scenario of overload; 5, or 1 with --quick
  --quick       one run each instead of five, and shorter ones: about a fifth of the time
  --help        this text
`

const load = (): string =>
  loadavg()
    .map((value) => round(value, 1))
    .join(" ")

const unusable = (text: string): never => {
  console.error(text)
  process.exit(2)
}

interface Choice {
  readonly lines: ReadonlyArray<Line>
  readonly benches: ReadonlyArray<Bench>
  readonly options: Options
}

const linesOf = (given: ReadonlyArray<string> = ["3"]): ReadonlyArray<Line> =>
  [...new Set(given.flatMap((one) => one.split(",")))].toSorted().map((line) => {
    if (line === "3" || line === "4") return line === "3" ? 3 : 4
    return unusable(`--effect is "${line}"; expected 3 or 4`)
  })

const benchesOf = (only: ReadonlyArray<string> | undefined, lines: ReadonlyArray<Line>): ReadonlyArray<Bench> => {
  const isOn4 = lines.includes(4)
  if (only === undefined) return isOn4 ? [...compared.keys()] : benches.filter(({ isLong }) => isLong !== true)
  const possible = isOn4 ? [...workersOn4.keys()] : benches
  const unknown = only.find((name) => !possible.some((bench) => bench.name === name))
  if (unknown !== undefined) unusable(`unknown bench "${unknown}"; benches: ${namesOf(possible)}`)
  return possible.filter(({ name }) => only.includes(name))
}

/** Reads what is asked for; ends the process if that can't be had. */
const choose = (): Choice => {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      effect: { type: "string", multiple: true },
      scenario: { type: "string", multiple: true },
      seeds: { type: "string" },
      quick: { type: "boolean" },
      help: { type: "boolean" }
    }
  })
  if (values.help === true) {
    console.log(HELP)
    process.exit(0)
  }
  const lines = linesOf(values.effect)
  const quick = values.quick === true
  const seeds = values.seeds === undefined ? undefined : Number(values.seeds)
  if (seeds !== undefined && !(Number.isInteger(seeds) && seeds > 0))
    unusable(`--seeds is "${values.seeds}"; expected a whole number above 0`)
  return {
    lines,
    benches: benchesOf(
      values.only?.flatMap((names) => names.split(",")),
      lines
    ),
    options: { runs: quick ? 1 : 5, quick, scenarios: values.scenario, seeds }
  }
}

/** Figures of a bench by line; none for a line that lacks what the bench measures. */
const figuresOf = async (bench: Bench, { lines, options }: Choice): Promise<ReadonlyArray<ReadonlyArray<Figure>>> => {
  const runs = lines.map((line) =>
    onLine(line, async () => {
      const worker = workersOn4.get(bench)
      if (worker === undefined || has(worker)) return bench.run(options)
      console.log(`Effect ${line} has no ${bench.name} as yet`)
      return []
    })
  )
  // Waits for the other line as well: what it has left to measure is over before the next bench.
  await Promise.allSettled(runs)
  return Promise.all(runs)
}

const main = async (): Promise<number> => {
  const choice = choose()
  const { lines, options } = choice
  // Beside the package, which `npm run build` has made.
  if (lines.includes(4)) derive(["src", "bench"])
  const about = lines.map((line) => `Effect ${line}`).join(" and ")
  console.log(
    `Node ${process.version}, ${about}, ${availableParallelism()} cores, load ${load()}, medians of ${options.runs}`
  )
  const rows: Array<ReadonlyArray<string>> = [lines.length === 1 ? HEADINGS : BOTH_HEADINGS]
  let broken = 0
  for (const bench of choice.benches) {
    console.log(`\n${bench.name}: ${bench.about}`)
    try {
      const [first = [], second] = await figuresOf(bench, choice)
      rows.push(...(second === undefined ? rowsOf(bench.name, first) : rowsOfBoth(bench.name, first, second)))
    } catch (error) {
      broken++
      console.error(`${bench.name} broke:`, error)
      const text = error instanceof Error ? error.message : String(error)
      rows.push(
        rows[0]!.map((_, i, { length }) => (i === 0 ? bench.name : i === 1 ? "broke" : i === length - 1 ? text : ""))
      )
    }
  }
  console.log(`\n${table(rows)}\n`)
  console.log(`load at the end ${load()}`)
  return broken === 0 ? 0 : 1
}

process.exitCode = await main()
