/** Shows what a run would send, and estimates what it would cost; sends nothing. */
import * as Either from "effect/Either"
import * as Batch from "../../Batch.ts"
import { internalsOf } from "../../internal/batch/prompt/internals.ts"
import { count, counted, dollars, short } from "../display/figures.ts"
import { EXIT, type ExitCode } from "../exit.ts"
import { MalformedRow, type Row } from "../input/rows.ts"
import { sampleRows } from "../input/sample.ts"
import type { RowSource } from "../input/source.ts"
import { type Estimate, estimateTokens } from "./estimate.ts"
import type { RunPlan } from "./plan.ts"
import type { Work } from "./work.ts"

/** Prompts that are shown. */
const SHOWN_ROWS = 3

/** Rows whose tokens are counted, drawn at random. */
const COUNTED_ROWS = 1000

interface Survey {
  readonly rows: number
  readonly first: ReadonlyArray<Row>
  readonly malformed: number
  readonly firstMalformed: string | undefined
  readonly drawn: ReadonlyArray<Row>
}

/** One pass over all rows, which holds no more than those that are counted. */
const survey = async (source: RowSource, { limit, sample, seed }: RunPlan["rows"]): Promise<Survey> => {
  let rows = 0
  let malformed = 0
  let firstMalformed: string | undefined
  const first: Array<Row> = []
  const all = sample === undefined ? source.rows : sampleRows(source.rows, sample, seed)
  async function* readable(): AsyncGenerator<ReadonlyArray<Row>> {
    for await (const items of all) {
      const good = items.filter((item): item is Row => !(item instanceof MalformedRow))
      const bad = items.find((item) => item instanceof MalformedRow)
      if (bad instanceof MalformedRow) firstMalformed ??= bad.message
      rows += items.length
      malformed += items.length - good.length
      if (first.length < SHOWN_ROWS) first.push(...good.slice(0, SHOWN_ROWS - first.length))
      yield good
    }
  }
  const drawn: Array<Row> = []
  for await (const items of sampleRows(readable(), COUNTED_ROWS, 0)) drawn.push(...(items as ReadonlyArray<Row>))
  return { rows: Math.min(rows, limit ?? Infinity), first, malformed, firstMalformed, drawn }
}

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")

const shownRow = (row: Row, index: number, { prompt }: Work): string => {
  if (prompt === undefined) return `row ${index + 1}\n${indented(JSON.stringify(row))}`
  const rendered = prompt.render(row)
  if (Either.isLeft(rendered)) return `row ${index + 1}: it has no column ${rendered.left}, and would fail`
  return rendered.right.map(({ content, role }) => `row ${index + 1}, ${role}\n${indented(content)}`).join("\n")
}

/** Between two figures; one alone if they look the same. */
const between = (low: number, high: number, format: (value: number) => string): string =>
  format(low) === format(high) ? format(low) : `${format(low)} to ${format(high)}`

const costLines = (estimate: Estimate, price: Batch.Price | undefined, model: string): ReadonlyArray<string> => {
  if (price === undefined) return [`cost: unknown, since the price of ${model} at this address is; add --prices FILE`]
  const input = (tokens: number) => (tokens * price.input) / 1e6
  const low = input(estimate.input.low) + (estimate.output.low * price.output) / 1e6
  const rates = `${dollars(price.input)} and ${dollars(price.output)} for a million tokens in and out`
  const { high } = estimate.output
  if (high === undefined) {
    return [
      `cost: at least ${dollars(low)}, and no more can be said without --max-tokens (${rates}, as of ${Batch.pricesAsOf})`
    ]
  }
  const most = input(estimate.input.high) + (high * price.output) / 1e6
  return [`cost: ${between(low, most, dollars)} (${rates}, as of ${Batch.pricesAsOf})`]
}

const estimateLines = async (plan: RunPlan, found: Survey, { name, prompt }: Work): Promise<ReadonlyArray<string>> => {
  if (prompt === undefined) return ["tokens and cost: unknown, since an agent asks its models itself"]
  const estimate = await estimateTokens({
    prompts: found.drawn.map((row) => Either.getOrElse(prompt.render(row), () => [])),
    rows: (found.rows - found.malformed) * plan.repeat,
    model: name,
    maxOutputTokens: prompt.maxOutputTokens
  })
  const { high, low } = estimate.output
  const outputs =
    high === undefined ? "unknown, since nothing bounds an answer; add --max-tokens" : between(low, high, short)
  return [
    `tokens in: ${between(estimate.input.low, estimate.input.high, short)} (${estimate.method})`,
    `tokens out: ${outputs}`,
    ...costLines(estimate, internalsOf(prompt)?.price(plan.bounds.prices), name)
  ]
}

export const dryRun = async (plan: RunPlan, source: RowSource, work: Work): Promise<ExitCode> => {
  const found = await survey(source, plan.rows)
  const bad =
    found.malformed === 0 ? "" : `, of which ${count(found.malformed)} can't be read (${found.firstMalformed})`
  const lines = [
    ...found.first.map((row, index) => `${shownRow(row, index, work)}\n`),
    `${counted(found.rows, "row")} of ${source.name}${bad}; ${plan.repeat === 1 ? "" : `each asked ${plan.repeat} times; `}nothing was sent`,
    ...(found.rows === 0 ? [] : await estimateLines(plan, found, work))
  ]
  process.stdout.write(`${lines.join("\n")}\n`)
  return EXIT.done
}
