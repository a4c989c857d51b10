/** Results as lines of a file, in each of its formats. */
import type { BadRow, Result } from "../../Batch.ts"
import { UsageError } from "../exit.ts"
import type { Row } from "../input/rows.ts"
import type { OutPlan } from "./model.ts"
import { type Delimiter, delimitedLine } from "./delimited.ts"

export type RowResult = Result<Row | BadRow, unknown>

export interface ResultLines {
  /** First line of the file; empty if the format has none. */
  readonly header: string
  readonly line: (result: RowResult) => string
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
export const resultLines = (options: LineOptions): ResultLines => {
  const { columns, out } = options
  const kept = out.keep === "all" ? columns : out.keep === "none" ? [] : out.keep
  const unknown = columns.length === 0 ? undefined : kept.find((name) => !columns.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`--keep names ${JSON.stringify(unknown)}, which no row has; columns: ${columns.join(", ")}`)
  }
  if (out.format === "jsonl") return jsonLines(out.keep === "all" ? "all" : kept)
  return delimitedLines(kept, out.format === "csv" ? "," : "\t", options)
}

/** Columns of a row that is an object, `undefined` for one that could not be read. */
const fieldsOf = (row: RowResult["row"]): Row | undefined =>
  "_tag" in row && row._tag === "BadRow" && "raw" in row ? undefined : (row as Row)

const picked = (row: Row, kept: ReadonlyArray<string>): Row =>
  Object.fromEntries(kept.flatMap((name) => (Object.hasOwn(row, name) ? [[name, row[name]]] : [])))

const jsonLines = (kept: "all" | ReadonlyArray<string>): ResultLines => ({
  header: "",
  line: (result) => {
    const row = fieldsOf(result.row)
    const isKept = kept === "all" || kept.length > 0
    const { attempts, cost, index, key, model, ms, repeat, status, usage } = result
    const outcome =
      result.status === "done"
        ? { answer: result.value ?? null }
        : { error: { reason: result.reason.tag, message: result.reason.message, answer: result.reason.answer } }
    const record = {
      index,
      key,
      repeat: repeat === 1 ? undefined : repeat,
      status,
      ...outcome,
      row: isKept && row !== undefined ? (kept === "all" ? row : picked(row, kept)) : undefined,
      model,
      usage,
      cost: cost ?? null,
      attempts,
      ms: Math.round(ms)
    }
    return `${JSON.stringify(record)}\n`
  }
})

/** Answer columns whose names the input has too get a prefix. */
const freeName = (name: string, taken: ReadonlySet<string>): string => {
  let free = name
  while (taken.has(free)) free = `answer_${free}`
  return free
}

const delimitedLines = (
  kept: ReadonlyArray<string>,
  delimiter: Delimiter,
  { fields, isRepeated }: LineOptions
): ResultLines => {
  const names = [...(isRepeated ? ["repeat"] : []), ...(fields.length === 0 ? ["answer"] : fields), "status", "error"]
  const header: Array<string> = [...kept]
  for (const name of names) header.push(freeName(name, new Set(header)))
  return {
    header: delimitedLine(header, delimiter),
    line: (result) => {
      const row = fieldsOf(result.row)
      const own = row === undefined ? kept.map(() => undefined) : kept.map((name) => row[name])
      const repeat = isRepeated ? [result.repeat] : []
      const answers = answerCells(result, fields)
      const error = result.status === "done" ? "" : `${result.reason.tag}: ${result.reason.message}`
      return delimitedLine([...own, ...repeat, ...answers, result.status, error], delimiter)
    }
  }
}

const answerCells = (result: RowResult, fields: ReadonlyArray<string>): ReadonlyArray<unknown> => {
  if (result.status === "failed") return fields.length === 0 ? [undefined] : fields.map(() => undefined)
  if (fields.length === 0) return [result.value]
  const answer = typeof result.value === "object" && result.value !== null ? (result.value as Row) : {}
  return fields.map((name) => answer[name])
}
