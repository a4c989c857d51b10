/** `npm run soak`: a soak from the command line, with its table, its plots and its samples. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { loadavg } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import type { Ledger } from "./ledger.ts"
import { plot } from "./plot.ts"
import { soak } from "./run.ts"
import type { Sample } from "./samples.ts"
import { table } from "./verdict.ts"

const HELP = `usage: npm run soak -- [options]

  --minutes N   duration (default 30; heap and descriptors are judged from 10 on)
  --seed N      seed of the faults and the agents (default: from the clock)
  --agents N    agents at the same time (default 1000)
  --rate N      questions a second, of all of them together (default 100)
  --out FOLDER  folder of plots and samples (default out/soak-SEED)
  --quiet       without progress lines
  --help        this text
`

const positive = (name: string, given: string | undefined, other: number): number => {
  const value = given === undefined ? other : Number(given)
  if (Number.isFinite(value) && value > 0) return value
  throw new TypeError(`--${name} is ${JSON.stringify(given)}; expected a number above 0`)
}

const progress = ({ at, descriptors, heap, leases, p99, requests, sockets }: Sample, ledger: Ledger): void => {
  const line =
    `${(at / 60).toFixed(1)} min  ${requests} requests  ${ledger.answered} answered  ${ledger.unsettled} unsettled  ` +
    `${ledger.unexpected} unexpected  heap ${heap.toFixed(1)} MB  ${descriptors} descriptors  ${leases} leases  ` +
    `${sockets} sockets  p99 ${p99.toFixed(0)} ms`
  process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${line}` : `${line}\n`)
}

const load = (): string =>
  loadavg()
    .map((one) => one.toFixed(1))
    .join(" ")

const read = () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string" },
      seed: { type: "string" },
      agents: { type: "string" },
      rate: { type: "string" },
      out: { type: "string" },
      quiet: { type: "boolean" },
      help: { type: "boolean" }
    }
  })
  const seed = positive("seed", values.seed, 1 + (Date.now() % 2 ** 31))
  return {
    seed,
    minutes: positive("minutes", values.minutes, 30),
    agents: positive("agents", values.agents, 1_000),
    rate: positive("rate", values.rate, 100),
    folder: resolve(values.out ?? join("out", `soak-${seed}`)),
    isQuiet: values.quiet === true,
    isHelp: values.help === true
  }
}

/** Errors of the command line are apart from the soak's own failures, and have an exit code of their own. */
const readOrSay = (): ReturnType<typeof read> | undefined => {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    process.stderr.write(`${error.message}\n\n${HELP}`)
    return undefined
  }
}

const main = async (): Promise<number> => {
  const asked = readOrSay()
  if (asked === undefined) return 2
  const { folder, isHelp, isQuiet, ...options } = asked
  if (isHelp) {
    process.stdout.write(HELP)
    return 0
  }
  mkdirSync(folder, { recursive: true })
  const lines = join(folder, "samples.jsonl")
  writeFileSync(lines, "")
  console.log(`seed ${options.seed}, Node ${process.version}, load ${load()}, plots and samples in ${folder}`)
  const report = await soak({
    ...options,
    onSample: (sample, ledger) => {
      appendFileSync(lines, `${JSON.stringify(sample)}\n`)
      if (!isQuiet) progress(sample, ledger)
    }
  })
  for (const [name, title] of [
    ["heap", "heap in use, MB"],
    ["descriptors", "open descriptors beside the pool's sockets"],
    ["leases", "leases"],
    ["p99", "99th percentile, ms"]
  ] as const) {
    const points = report.samples.map((sample) => ({ x: sample.at, y: sample[name] }))
    writeFileSync(join(folder, `${name}.svg`), plot(title, points))
  }
  console.log(`\n${table(report)}\nload at the end ${load()}, plots and samples in ${folder}`)
  return report.failures.length === 0 ? 0 : 1
}

process.exitCode = await main()
