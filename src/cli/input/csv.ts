/** Reads CSV and TSV: the first record names the columns, each later one is a row of texts. */
import { CommandError, EXIT } from "../exit.ts"
import { Parser } from "../vendor/csv.ts"
import { MalformedRow, MAX_ROW_CHARACTERS, type Row, type RowChunks, type RowItem } from "./rows.ts"

export interface CsvTable {
  /** Names of the columns, each once; empty if the file is. */
  readonly columns: ReadonlyArray<string>
  /** Changes of the names, for people. */
  readonly notes: ReadonlyArray<string>
  readonly rows: RowChunks
}

interface CsvRecord {
  /** Line that it ends in, from 1. */
  readonly line: number
  readonly cells: ReadonlyArray<string>
  /** The reason why it can't be used. @default none */
  readonly problem?: string | undefined
}

/** Reads as far as the names of the columns. `name` is that of the source, for errors. */
export const csvTable = async (name: string, chunks: AsyncIterable<Buffer>, delimiter: string): Promise<CsvTable> => {
  const records = csvRecords(name, chunks, delimiter)
  const first = await records.next()
  if (first.done === true) return { columns: [], notes: [], rows: noRows() }
  const [header, ...others] = first.value
  const { columns, notes } = columnNames(header?.cells ?? [])
  return { columns, notes, rows: rowsOf(columns, others, records) }
}

async function* noRows(): RowChunks {}

interface RawRecord {
  readonly record: ReadonlyArray<string>
  readonly raw: string
}

const UNCLOSED = "a quote is not closed on its line, and takes those after it"
const NEVER_CLOSED = "a quote is never closed, and takes all lines after it"

/** True for a cell whose quote is a character of it, with line ends that no quotes hold together. */
const isUnclosed = (cell: string, raw: string): boolean =>
  cell.startsWith('"') && /[\r\n]/.test(cell) && !raw.includes(`"${cell.replaceAll('"', '""')}"`)

/** A parser that hands over its records at once, and keeps none. */
const parserOf = (delimiter: string, onRecord: (record: CsvRecord) => void): Parser => {
  /** Line of the last record. */
  let lastLine = 0
  const parser = new Parser({
    delimiter,
    record_delimiter: ["\r\n", "\n", "\r"],
    skip_empty_lines: true,
    // A quote within a cell is a character, as most writers of such files mean it; a row of another length is malformed alone.
    relax_quotes: true,
    relax_column_count: true,
    max_record_size: MAX_ROW_CHARACTERS,
    skip_records_with_error: true,
    // Tells a quote that was never closed from one that a cell begins with.
    raw: true,
    on_record: (read, { lines }) => {
      // Typed as it is without `raw`.
      const { raw, record } = read as unknown as RawRecord
      const isBroken = record.some((cell) => isUnclosed(cell, raw))
      lastLine = lines
      onRecord({ line: lines, cells: record, problem: isBroken ? UNCLOSED : undefined })
      return null
    },
    on_skip: (error) => {
      // The parser tells the last line, not that of the quote.
      if (error?.code === "CSV_QUOTE_NOT_CLOSED") {
        onRecord({ line: lastLine + 1, cells: [], problem: NEVER_CLOSED })
      } else onRecord({ line: Number(error?.lines ?? 0), cells: [], problem: error?.message ?? "unknown" })
      return undefined
    }
  })
  return parser.resume()
}

async function* csvRecords(
  name: string,
  chunks: AsyncIterable<Buffer>,
  delimiter: string
): AsyncGenerator<ReadonlyArray<CsvRecord>> {
  let records: Array<CsvRecord> = []
  const parser = parserOf(delimiter, (record) => void records.push(record))
  const taken = () => {
    const read = records
    records = []
    return read
  }
  const ended = new Promise<void>((resolve, reject) => {
    parser.once("end", resolve)
    parser.once("error", (error) => reject(new CommandError(`${name} is invalid CSV: ${error.message}`, EXIT.io)))
  })
  // Awaited below, unless reading stops before.
  ended.catch(() => {})
  for await (const chunk of chunks) {
    // Parsed before it returns, so that nothing is buffered.
    parser.write(chunk)
    if (parser.errored !== null) await ended
    if (records.length > 0) yield taken()
  }
  parser.end()
  await ended
  if (records.length > 0) yield taken()
}

/** A name that is there twice gets a number, and a column without a name its place. */
const columnNames = (header: ReadonlyArray<string>): Pick<CsvTable, "columns" | "notes"> => {
  const given = new Set(header)
  const taken = new Set<string>()
  const notes: Array<string> = []
  const columns = header.map((cell, index) => {
    const wanted = cell.trim() === "" ? `column_${index + 1}` : cell
    let name = wanted
    for (let i = 2; taken.has(name) || (name !== cell && given.has(name)); i++) name = `${wanted}_${i}`
    taken.add(name)
    if (name !== cell) {
      notes.push(`column ${index + 1}, ${cell === "" ? "without a name" : `again "${cell}"`}, is {{${name}}}`)
    }
    return name
  })
  return { columns, notes }
}

async function* rowsOf(
  columns: ReadonlyArray<string>,
  first: ReadonlyArray<CsvRecord>,
  rest: AsyncGenerator<ReadonlyArray<CsvRecord>>
): RowChunks {
  const toRow = rowMaker(columns)
  if (first.length > 0) yield first.map(toRow)
  for await (const records of rest) yield records.map(toRow)
}

const cells = (count: number): string => `${count} ${count === 1 ? "cell" : "cells"}`

const problemOf = ({ cells: found, problem }: CsvRecord, expected: number): string | undefined => {
  if (problem !== undefined) return problem
  return found.length === expected ? undefined : `it has ${cells(found.length)}, and the header ${expected}`
}

const rowMaker = (columns: ReadonlyArray<string>): ((record: CsvRecord) => RowItem) => {
  // Assigning this name would change the object's prototype.
  const make = columns.includes("__proto__") ? definedRow(columns) : assignedRow(columns)
  return (record) => {
    const problem = problemOf(record, columns.length)
    if (problem === undefined) return make(record.cells)
    return new MalformedRow(record.line, `line ${record.line}: ${problem}`, record.cells.join(","))
  }
}

const assignedRow =
  (columns: ReadonlyArray<string>) =>
  (cells: ReadonlyArray<string>): Row => {
    const row: Record<string, string> = {}
    for (let i = 0; i < columns.length; i++) row[columns[i]!] = cells[i]!
    return row
  }

const definedRow =
  (columns: ReadonlyArray<string>) =>
  (cells: ReadonlyArray<string>): Row =>
    Object.fromEntries(columns.map((name, i) => [name, cells[i]]))
