/** Results as lines of a file, in each of its formats. */
import { BadRow, type Result } from "../../Batch.ts"
import { UsageError } from "../exit.ts"
import type { Row } from "../input/rows.ts"
import type { OutPlan } from "./model.ts"

export type RowResult = Result<Row | BadRow, unknown>

export interface ResultLines {
  /** First line of the file; empty if the format has none. */
  readonly header: string
  readonly text: (results: Iterable<RowResult>) => string
}

export interface LineOptions {
  readonly out: OutPlan
  /** Columns of the input, or the fields of its first rows. */
  readonly columns: ReadonlyArray<string>
  /** Fields of an answer that is an object; empty for a text. */
  readonly fields: ReadonlyArray<string>
  /** True if each row is asked more than once. */
  readonly isRepeated: boolean
}

/** Makes the lines of a run. Refuses to keep a column that no row has. */
export const resultLines = async (options: LineOptions): Promise<ResultLines> => {
  const { columns, out } = options
  const kept = out.keep === "all" ? columns : out.keep === "none" ? [] : out.keep
  const unknown = columns.length === 0 ? undefined : kept.find((name) => !columns.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`--keep names ${JSON.stringify(unknown)}, which no row has; columns: ${columns.join(", ")}`)
  }
  return out.format === "jsonl" ? jsonLines(out.keep === "all" ? "all" : kept) : delimitedLines(kept, options)
}

/** Columns of a row that is an object, `undefined` for one that could not be read. */
const fieldsOf = (row: RowResult["row"]): Row | undefined => (row instanceof BadRow ? undefined : row)

const picked = (row: Row, kept: ReadonlyArray<string>): Row =>
  Object.fromEntries(kept.flatMap((name) => (Object.hasOwn(row, name) ? [[name, row[name]]] : [])))

const jsonRecord = (result: RowResult, kept: "all" | ReadonlyArray<string>): string => {
  const row = fieldsOf(result.row)
  const isKept = row !== undefined && (kept === "all" || kept.length > 0)
  const { attempts, cost, index, key, model, ms, repeat, status, usage } = result
  const outcome =
    result.status === "done"
      ? { answer: result.value ?? null }
      : { error: { reason: result.reason.tag, message: result.reason.message, answer: result.reason.answer } }
  return JSON.stringify({
    index,
    key,
    repeat: repeat === 1 ? undefined : repeat,
    status,
    ...outcome,
    row: isKept ? (kept === "all" ? row : picked(row, kept)) : undefined,
    model,
    usage,
    cost: cost ?? null,
    attempts,
    ms: Math.round(ms)
  })
}

const jsonLines = (kept: "all" | ReadonlyArray<string>): ResultLines => ({
  header: "",
  text: (results) => {
    let text = ""
    for (const result of results) text += `${jsonRecord(result, kept)}\n`
    return text
  }
})

/** Answer columns whose names the input has too get a prefix. */
const freeName = (name: string, taken: ReadonlySet<string>): string => {
  let free = name
  while (taken.has(free)) free = `answer_${free}`
  return free
}

const delimitedLines = async (
  kept: ReadonlyArray<string>,
  { fields, isRepeated, out }: LineOptions
): Promise<ResultLines> => {
  const { stringify } = await import("../vendor/csv.ts")
  const options = {
    delimiter: out.format === "csv" ? "," : "\t",
    cast: { boolean: String, object: (value: unknown) => JSON.stringify(value) }
  }
  const names = [...(isRepeated ? ["repeat"] : []), ...(fields.length === 0 ? ["answer"] : fields), "status", "error"]
  const header: Array<string> = [...kept]
  for (const name of names) header.push(freeName(name, new Set(header)))
  const cellsOf = (result: RowResult): Array<unknown> => {
    const row = fieldsOf(result.row)
    const own = kept.map((name) => row?.[name])
    const repeat = isRepeated ? [result.repeat] : []
    const error = result.status === "done" ? "" : `${result.reason.tag}: ${result.reason.message}`
    return [...own, ...repeat, ...answerCells(result, fields), result.status, error]
  }
  return {
    header: stringify([header], options),
    text: (results) => stringify(Array.from(results, cellsOf), options)
  }
}

const answerCells = (result: RowResult, fields: ReadonlyArray<string>): ReadonlyArray<unknown> => {
  if (result.status === "failed") return fields.length === 0 ? [undefined] : fields.map(() => undefined)
  if (fields.length === 0) return [result.value]
  const answer = typeof result.value === "object" && result.value !== null ? (result.value as Row) : {}
  return fields.map((name) => answer[name])
}
