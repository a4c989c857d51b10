/** Reads CSV and TSV: the first record names the columns, each later one is a row of texts. */
import { type CsvRecord, CsvSplitter } from "./csvRecords.ts"
import { MalformedRow, type Row, type RowChunks, type RowItem } from "./rows.ts"

export interface CsvTable {
  /** Names of the columns, each once; empty if the file is. */
  readonly columns: ReadonlyArray<string>
  /** What was changed in the names, for people. */
  readonly notes: ReadonlyArray<string>
  readonly rows: RowChunks
}

/** Reads as far as the names of the columns. */
export const csvTable = async (chunks: AsyncIterable<Buffer>, delimiter: string): Promise<CsvTable> => {
  const records = csvRecords(chunks, delimiter)
  let first: ReadonlyArray<CsvRecord> = []
  while (first.length === 0) {
    const next = await records.next()
    if (next.done === true) return { columns: [], notes: [], rows: noRows() }
    first = next.value
  }
  const [header, ...others] = first
  const { columns, notes } = columnNames(header?.cells ?? [])
  return { columns, notes, rows: rowsOf(columns, others, records) }
}

async function* noRows(): RowChunks {}

async function* csvRecords(chunks: AsyncIterable<Buffer>, delimiter: string): AsyncGenerator<ReadonlyArray<CsvRecord>> {
  const splitter = new CsvSplitter(delimiter)
  for await (const chunk of chunks) {
    const records = splitter.push(chunk.toString("utf8"), false)
    if (records.length > 0) yield records
  }
  const last = splitter.push("", true)
  if (last.length > 0) yield last
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
    if (name !== cell)
      notes.push(`column ${index + 1}, ${cell === "" ? "without a name" : `again "${cell}"`}, is {{${name}}}`)
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

const rowMaker = (columns: ReadonlyArray<string>): ((record: CsvRecord) => RowItem) => {
  // Assigning this name would change the object's prototype.
  const make = columns.includes("__proto__") ? definedRow(columns) : assignedRow(columns)
  return (record) => {
    const { line, problem, raw = "" } = record
    if (problem !== undefined) return new MalformedRow(line, `line ${line} is invalid CSV: ${problem}`, raw)
    if (record.cells.length === columns.length) return make(record.cells)
    const counts = `${cells(record.cells.length)}, and the header ${columns.length}`
    return new MalformedRow(line, `line ${line} has ${counts}`, record.cells.join(","))
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
