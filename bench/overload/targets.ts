/** The targets of each scenario as figures: clientele against one bare client. */
import { type Figure, round } from "../bench.ts"
import { type Columns, STEP_MS } from "./measure.ts"
import type { Contender } from "./protocol.ts"
import type { Scenario } from "./scenario.ts"

export type Measured = Readonly<Record<Contender, Columns>>

const BY_TIME = 0.98
const LATER_MS = 2_000
/** Fewer answers than this, over all seeds, are chance. */
const FEWEST = 20
const SHARE_POINTS = 0.5
const PER_ANSWER = 1.05
const P99 = 1.5
const BACK_SECONDS = 2
const DEAD_PER_SECOND = 10
const PEAK = 1.1

const show = (value: number, digits = 2): string => (Number.isFinite(value) ? round(value, digits) : "-")

const each = ({ C, O, P }: Measured, of: (columns: Columns) => number, digits = 2): string =>
  `C ${show(of(C), digits)}, O ${show(of(O), digits)}, P ${show(of(P), digits)}`

interface Behind {
  readonly ratio: number
  /** Seconds at which it is the least. */
  readonly at: number
}

/**
 * The least that clientele has answered by a time, against the other two seconds earlier. Up to `end` in milliseconds,
 * after which agents ask no more and nobody can catch up.
 */
const behind = (ours: ReadonlyArray<number>, others: ReadonlyArray<number>, end: number): Behind => {
  let least: Behind = { ratio: Infinity, at: NaN }
  const later = LATER_MS / STEP_MS
  others.forEach((count, i) => {
    if (count < FEWEST || (i + later) * STEP_MS > end) return
    const ratio = (ours[Math.min(i + later, ours.length - 1)] ?? 0) / count
    if (ratio < least.ratio) least = { ratio, at: ((i + later) * STEP_MS) / 1000 }
  })
  return least
}

const byTime = (measured: Measured, { load }: Scenario): ReadonlyArray<Figure> => {
  const { at, ratio } = behind(measured.C.curve, measured.O.curve, load.ms ?? Infinity)
  if (Number.isNaN(at)) return []
  const note = `least at ${show(at, 1)} s; in all ${each(measured, ({ answered }) => answered, 0)}`
  return [{ what: "answers by t, of O's by t - 2 s", value: ratio, unit: "x", atLeast: BY_TIME, note }]
}

const share = (measured: Measured, { whole }: Scenario): ReadonlyArray<Figure> => {
  const { C, O } = measured
  const errors = C.errors === "" ? "" : `; C failed: ${C.errors}`
  const atLeast = whole === true ? 100 : Math.max(0, O.share - SHARE_POINTS)
  const note = `${each(measured, (columns) => columns.share)}${errors}`
  return [{ what: "answered", value: C.share, unit: "%", atLeast, note }]
}

const perAnswer = (measured: Measured): ReadonlyArray<Figure> => {
  const value = measured.C.perAnswer / measured.O.perAnswer
  const note = each(measured, (columns) => columns.perAnswer)
  return [{ what: "requests per answer, of O's", value, unit: "x", atMost: PER_ANSWER, note }]
}

const p99 = (measured: Measured): ReadonlyArray<Figure> => {
  const { C, O } = measured
  // With more than 1 % of O's rows lost, nothing can be slower.
  if (!Number.isFinite(O.p99)) return []
  const note = `s: ${each(measured, (columns) => columns.p99)}`
  return [{ what: "p99, of O's", value: C.p99 / O.p99, unit: "x", atMost: P99, note }]
}

const recovery = (measured: Measured, { processes = 1 }: Scenario): ReadonlyArray<Figure> => {
  const { C, O } = measured
  const back: Figure = {
    what: "back at 90 % of the speed after",
    value: C.back,
    unit: "s",
    atMost: O.back + BACK_SECONDS,
    note: each(measured, (columns) => columns.back, 1)
  }
  const dead: Figure = {
    what: "requests a second to the dead provider, after 2 s",
    value: C.dead,
    unit: "/s",
    atMost: DEAD_PER_SECOND * processes,
    note: each(measured, (columns) => columns.dead, 1)
  }
  const peak: Figure = {
    what: "busiest second after recovery, of that before",
    value: C.peak,
    unit: "x",
    atMost: PEAK,
    note: each(measured, (columns) => columns.peak)
  }
  // NaN where there was nothing to measure it against.
  return [back, dead, peak].filter(({ atMost, value }) => !Number.isNaN(value) && !Number.isNaN(atMost))
}

const inTime = (measured: Measured, ms: number): ReadonlyArray<Figure> => [
  {
    what: "slowest row until it failed",
    value: measured.C.slowest,
    unit: "s",
    atMost: ms / 1000,
    note: `${each(measured, ({ slowest }) => slowest)}; ${measured.C.errors}`
  }
]

/** All targets that apply to a scenario. */
export const targetsOf = (scenario: Scenario, measured: Measured): ReadonlyArray<Figure> => {
  const figures =
    scenario.failsWithin !== undefined
      ? inTime(measured, scenario.failsWithin)
      : [
          ...byTime(measured, scenario),
          ...share(measured, scenario),
          ...perAnswer(measured),
          ...(scenario.trouble === undefined ? p99(measured) : recovery(measured, scenario))
        ]
  return figures.map((figure) => ({ ...figure, what: `${scenario.name}: ${figure.what}` }))
}

export const isMet = ({ atLeast = -Infinity, atMost = Infinity, value }: Figure): boolean =>
  value >= atLeast && value <= atMost

const HEAD = ["scenario", "", "answered %", "answers", "requests/answer", "p50 s", "p99 s", "back s", "dead/s", "peak"]

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const rowOf = (name: string, who: Contender, columns: Columns): string =>
  line([
    name,
    who,
    show(columns.share, 1),
    show(columns.answered, 0),
    show(columns.perAnswer),
    show(columns.p50),
    show(columns.p99),
    show(columns.back, 1),
    show(columns.dead, 1),
    show(columns.peak)
  ])

/** All scenarios as a Markdown table. */
export const tableOf = (all: ReadonlyArray<readonly [Scenario, Measured]>): string =>
  [
    line(HEAD),
    line(HEAD.map(() => "---")),
    ...all.flatMap(([{ name }, { C, O, P }]) => [rowOf(name, "C", C), rowOf("", "O", O), rowOf("", "P", P)])
  ].join("\n")
