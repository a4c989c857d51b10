/** Costs of a run beside its requests: CPU, memory, time, the journal. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Measured, Passed, Passing, Variant, Work } from "./batchWorker.ts"
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import { withServer } from "./server.ts"

const AT_ONCE = 64
const SOCKETS = 64
const LATENCY_MS = 2_000
const IDEAL_SECONDS = 10

const common = { maxConnections: SOCKETS, atOnce: AT_ONCE }

/**
 * Semi-spaces of V8 as Node 22 has them. Node 24 lets them grow to 64 MB each in any process that runs for long, whatever it
 * does, which is no matter of a batch.
 */
const YOUNG_GENERATION = "--max-semi-space-size=16"

const run = (work: Work): Promise<Measured> =>
  measure<Work, Measured>("batchWorker.ts", work, { nodeArgs: ["--expose-gc", YOUNG_GENERATION] })

type Runs = ReadonlyArray<Measured>

const cpu = (all: Runs) => all.map(({ cpuPerRow }) => cpuPerRow)
const seconds = (all: Runs) => all.map(({ seconds }) => seconds)
/** Seconds without those in which others had the processors. */
const ownSeconds = (all: Runs) => all.map(({ seconds, waited }) => seconds - waited)

const cpuFigures = async (runs: number, baseURL: string, rows: number): Promise<ReadonlyArray<Figure>> => {
  const work = (variant: Variant) => () => run({ ...common, variant, baseURL, rows, warmUp: rows / 10 })
  const all = await interleaved(
    {
      "p-limit + openai": work("p-limit + openai"),
      loop: work("loop"),
      "Batch.run": work("Batch.run"),
      "Batch.prompt": work("Batch.prompt")
    },
    runs
  )
  const us = (variant: Variant) => `${variant} ${round(median(cpu(all[variant])), 0)} us`
  const note = (Object.keys(all) as ReadonlyArray<Variant>).map(us).join(", ")
  const openai = cpu(all["p-limit + openai"])
  const above = ratios(cpu(all["Batch.run"]), openai).map((ratio, i) => ratio - cpu(all.loop)[i]! / openai[i]!)
  const ofPrompt = ratios(cpu(all["Batch.prompt"]), openai)
  const growth = all["Batch.prompt"].map(({ endHeap, halfHeap }) => endHeap - halfHeap)
  const peaks = all["Batch.prompt"].map(({ peakRss }) => peakRss)
  return [
    { what: "CPU a row above a plain loop, in p-limit + openai", value: median(above), unit: "x", atMost: 0.05, note },
    {
      what: "CPU a row: Batch.prompt / p-limit + openai",
      value: median(ofPrompt),
      unit: "x",
      atMost: 0.35,
      note: spread(ofPrompt, 2)
    },
    {
      what: `peak RSS of ${round(rows, 0)} rows`,
      value: median(peaks),
      unit: "MB",
      atMost: 300,
      note: "with V8's semi-spaces at 16 MB, as Node 22 has them"
    },
    { what: "heap after all rows, above that after half of them", value: median(growth), unit: "MB", atMost: 2 }
  ]
}

const journalFigures = async (
  runs: number,
  baseURL: string,
  rows: number,
  folder: string
): Promise<ReadonlyArray<Figure>> => {
  let number = 0
  const work = (fsync: number | undefined, hasJournal: boolean) => () => {
    const journal = hasJournal ? join(folder, `${number++}.jsonl`) : undefined
    return run({ ...common, variant: "Batch.prompt", baseURL, rows, warmUp: rows / 10, journal, fsync })
  }
  const all = await interleaved(
    { none: work(undefined, false), journal: work(undefined, true), "fsync each second": work(1_000, true) },
    runs
  )
  const figure = (what: string, of: Runs, atMost: number): Figure => {
    const times = ratios(ownSeconds(of), ownSeconds(all.none))
    const ofCpu = round(median(ratios(cpu(of), cpu(all.none))), 2)
    const note = `of the run without, waits for a processor left out; ${spread(times, 2)}; ${ofCpu} of its CPU`
    return { what, value: median(times), unit: "x", atMost, note }
  }
  return [
    figure("time with a journal", all.journal, 1.1),
    figure("time with a journal and fsync each second", all["fsync each second"], 1.25)
  ]
}

const latencyFigure = async (runs: number): Promise<Figure> => {
  const all = await withServer(
    ["--protocol", "h2", "--tls", "--latency", String(LATENCY_MS)],
    async ({ baseURL, ca }) => {
      const work = (variant: Variant) => () =>
        run({ variant, baseURL, ca, rows: 10_000, atOnce: 2_000, maxConnections: SOCKETS, warmUp: 2_000 })
      return await interleaved({ "Batch.prompt": work("Batch.prompt"), loop: work("loop") }, runs)
    }
  )
  const times = seconds(all["Batch.prompt"])
  const waits = all["Batch.prompt"].map(({ waited }) => waited)
  return {
    what: "10,000 rows of 2 s, 2,000 at a time over HTTP/2, in the ideal 10 s",
    value: median(times) / IDEAL_SECONDS,
    unit: "x",
    atMost: 1.15,
    note: `${spread(times, 1)} s, in which it waited ${spread(waits, 1)} s for a processor; the plain loop ${spread(seconds(all.loop), 1)} s`
  }
}

const passFigure = async (passed: number, folder: string): Promise<Figure> => {
  const work: Passing = { passed, journal: join(folder, "passed.jsonl") }
  const { peakRss, restored, seconds } = await measure<Passing, Passed>("batchWorker.ts", work)
  if (restored !== passed) throw new Error(`${restored} of ${passed} rows were in the journal`)
  const note = `${round(seconds, 0)} s, ${round((seconds * 1e6) / passed, 1)} us a row`
  return { what: `peak RSS of ${round(passed, 0)} rows passed over`, value: peakRss, unit: "MB", atMost: 600, note }
}

export const batch: Bench = {
  name: "batch",
  about: `rows through Batch.run and Batch.prompt, ${AT_ONCE} at a time over ${SOCKETS} sockets of HTTP/1.1 unless said otherwise, no latency`,
  run: async ({ quick, runs }) => {
    const folder = mkdtempSync(join(tmpdir(), "clientele-bench-batch-"))
    try {
      const rows = quick ? 10_000 : 100_000
      const ofServer = await withServer(["--protocol", "http/1.1"], async ({ baseURL }) => [
        ...(await cpuFigures(runs, baseURL, rows)),
        ...(await journalFigures(runs, baseURL, rows / 2, folder))
      ])
      return [...ofServer, await latencyFigure(runs), await passFigure(quick ? 1_000_000 : 10_000_000, folder)]
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
