/** Columns of the table, from the logs of providers and workers. */
import { median } from "../bench.ts"
import type { Span } from "./law.ts"
import type { Outcome } from "./run.ts"
import type { Scenario } from "./scenario.ts"

/** Milliseconds between two points of the curve. */
export const STEP_MS = 500
const ROWS = 1_000_000
const SLOT_MS = 100
const SHARE_BACK = 0.9
/** Time after its death from which requests to a provider count: before that, nobody can know. */
const DEAD_AFTER_MS = 2_000
const RECOVERY_MS = 10_000

export interface Columns {
  readonly rows: number
  readonly answered: number
  /** Answered rows in percent. */
  readonly share: number
  /** Answers by each `STEP_MS`, of all seeds together. */
  readonly curve: ReadonlyArray<number>
  readonly perAnswer: number
  /** Seconds; failed rows count as infinite. */
  readonly p50: number
  readonly p99: number
  /** Seconds that the slowest row took until it was answered or failed. */
  readonly slowest: number
  /** Seconds after the trouble until the rate of answers is 90 % of that before. Median of the seeds. */
  readonly back: number
  /** Requests a second to a dead provider. Median of the seeds; NaN where it was not dead for long. */
  readonly dead: number
  /** Requests in the busiest second after the trouble, against the busiest before. Median of the seeds. */
  readonly peak: number
  /** Kinds of errors, the most frequent first. */
  readonly errors: string
  /** 99 % of the turns of a worker's event loop were late by less, in milliseconds; the worst worker. */
  readonly lag: number
}

interface Row {
  readonly from: number
  readonly to: number
  readonly error: string
}

const rowsOf = ({ job, workers }: Outcome): ReadonlyArray<Row> => {
  const { groups } = job.scenario.load
  const judged = groups.findIndex(({ name }) => name === job.scenario.judged)
  return workers
    .flatMap(({ error, from, group, to }) =>
      from.map((from, i) => ({ from, to: to[i]!, error: error[i]!, group: group[i]! }))
    )
    .filter(({ group }) => judged === -1 || group === judged)
}

const within = (span: Span, at: number): boolean => at >= span.from && at < span.until

/** Arrival times of requests of judged rows, and of connection attempts that were refused. */
const requestsOf = ({ job, provider, workers }: Outcome): ReadonlyArray<number> => {
  const { law, load } = job.scenario
  const judged = load.groups.findIndex(({ name }) => name === job.scenario.judged)
  const isJudged = (row: number) => judged === -1 || Math.floor(row / ROWS) % load.groups.length === judged
  const { refuse } = law
  const refused = refuse === undefined ? [] : workers.flatMap(({ dials }) => dials.filter((at) => within(refuse, at)))
  return [...provider.at.filter((_, i) => isJudged(provider.row[i]!)), ...refused]
}

const slotsOf = (times: ReadonlyArray<number>): ReadonlyArray<number> => {
  const slots: Array<number> = []
  for (const at of times) {
    const slot = Math.max(0, Math.floor(at / SLOT_MS))
    slots[slot] = (slots[slot] ?? 0) + 1
  }
  return slots
}

/** The sum over `count` slots from the one of this time on. */
const sumFrom = (slots: ReadonlyArray<number>, at: number, count: number): number => {
  let sum = 0
  const first = Math.round(at / SLOT_MS)
  for (let i = first; i < first + count; i++) sum += slots[i] ?? 0
  return sum
}

const busiest = (slots: ReadonlyArray<number>, { from, until }: Span): number => {
  let most = 0
  for (let at = from; at + 1_000 <= until; at += SLOT_MS) most = Math.max(most, sumFrom(slots, at, 1_000 / SLOT_MS))
  return most
}

/** Span before the trouble in which all agents have been asking for a while. */
const before = ({ law, load, trouble }: Scenario): Span => {
  const until = trouble?.from ?? 0
  return { from: Math.min(load.stagger + law.latency.high, until - 1_000), until }
}

const backOf = (scenario: Scenario, answers: ReadonlyArray<number>): number => {
  const { trouble } = scenario
  if (trouble === undefined) return NaN
  const calm = before(scenario)
  const slots = slotsOf(answers)
  const rate = answers.filter((at) => within(calm, at)).length / (calm.until - calm.from)
  if (rate === 0) return NaN
  // Wide enough for twenty answers: fewer are chance.
  const width = Math.min(2_000, Math.max(500, Math.ceil(20 / rate / SLOT_MS) * SLOT_MS))
  for (let at = trouble.until; at + width <= slots.length * SLOT_MS; at += SLOT_MS) {
    if (sumFrom(slots, at, width / SLOT_MS) >= SHARE_BACK * rate * width) return (at - trouble.until) / 1000
  }
  return Infinity
}

const deadOf = ({ trouble }: Scenario, requests: ReadonlyArray<number>): number => {
  if (trouble === undefined || trouble.kind !== "dead") return NaN
  const span = { from: trouble.from + DEAD_AFTER_MS, until: trouble.until }
  const seconds = (span.until - span.from) / 1000
  return seconds < 0.5 ? NaN : requests.filter((at) => within(span, at)).length / seconds
}

const peakOf = (scenario: Scenario, requests: ReadonlyArray<number>): number => {
  const { trouble } = scenario
  if (trouble === undefined) return NaN
  const slots = slotsOf(requests)
  const after = { from: trouble.until, until: trouble.until + RECOVERY_MS }
  const usual = busiest(slots, before(scenario))
  return usual === 0 ? NaN : busiest(slots, after) / usual
}

const quantile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN

const curveOf = (answers: ReadonlyArray<number>): ReadonlyArray<number> => {
  const end = answers.reduce((most, at) => Math.max(most, at), 0)
  const curve = Array.from({ length: Math.ceil(end / STEP_MS) + 1 }, () => 0)
  for (const at of answers) curve[Math.max(0, Math.ceil(at / STEP_MS))]!++
  for (let i = 1; i < curve.length; i++) curve[i]! += curve[i - 1]!
  return curve
}

const errorsOf = (rows: ReadonlyArray<Row>): string => {
  const counts = new Map<string, number>()
  for (const { error } of rows) if (error !== "") counts.set(error, (counts.get(error) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ")
}

/** The columns of one contender, over all its seeds. */
export const columnsOf = (outcomes: ReadonlyArray<Outcome>): Columns => {
  const scenario = outcomes[0]!.job.scenario
  const each = outcomes.map((outcome) => {
    const rows = rowsOf(outcome)
    const answers = rows.filter(({ error }) => error === "").map(({ to }) => to)
    const requests = requestsOf(outcome)
    const [back, dead, peak] = [backOf(scenario, answers), deadOf(scenario, requests), peakOf(scenario, requests)]
    return { rows, answers, requests: requests.length, back, dead, peak }
  })
  const rows = each.flatMap(({ rows }) => rows)
  const answers = each.flatMap(({ answers }) => answers)
  const took = rows.map(({ error, from, to }) => (error === "" ? to - from : Infinity)).sort((a, b) => a - b)
  return {
    rows: rows.length,
    answered: answers.length,
    share: (answers.length / rows.length) * 100,
    curve: curveOf(answers),
    perAnswer: each.reduce((sum, { requests }) => sum + requests, 0) / answers.length,
    p50: quantile(took, 0.5) / 1000,
    p99: quantile(took, 0.99) / 1000,
    slowest: rows.reduce((most, { from, to }) => Math.max(most, to - from), 0) / 1000,
    back: median(each.map(({ back }) => back)),
    dead: median(each.map(({ dead }) => dead)),
    peak: median(each.map(({ peak }) => peak)),
    errors: errorsOf(rows),
    lag: Math.max(...outcomes.flatMap(({ workers }) => workers.map(({ lag }) => lag)))
  }
}
