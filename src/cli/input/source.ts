/** Opens rows of any format. */
import type { Readable } from "node:stream"
import { openBytes, sourceName } from "./bytes.ts"
import { type Format, formatOfName, formatOfText } from "./format.ts"
import { jsonLines } from "./jsonLines.ts"
import { MalformedRow, type Row, type RowChunks, type RowItem } from "./rows.ts"

export interface SourceOptions {
  /** A path, or `-` for standard input. */
  readonly file: string
  /** @default by the name, else by the first character */
  readonly format?: Format | undefined
  /** @default UTF-8, or UTF-16 if a byte order mark tells so */
  readonly encoding?: string | undefined
  /** Rows to read at most. @default all */
  readonly limit?: number | undefined
  /** @default process.stdin */
  readonly stdin?: Readable | undefined
}

export interface RowSource {
  readonly name: string
  readonly format: Format
  /** The columns of CSV, else the fields of the first rows. */
  readonly columns: ReadonlyArray<string>
  /** The first rows, which are in `rows` as well. They are some thousand, or some megabytes. */
  readonly head: ReadonlyArray<RowItem>
  readonly notes: ReadonlyArray<string>
  readonly rows: RowChunks
  /** Rows of the whole source, exact once it has been read to its end; `undefined` if unknown. */
  readonly total: () => { readonly rows: number; readonly isExact: boolean } | undefined
}

/** Rows that are looked at before anything is sent. */
const HEAD_ROWS = 1000

/** Characters of text that are read for them at most, but for the row that goes beyond. */
const HEAD_BYTES = 8 << 20

const DELIMITERS = { csv: ",", tsv: "\t" } as const

/** Reads as far as the first rows. */
export const openSource = async (options: SourceOptions): Promise<RowSource> => {
  const { encoding, file, limit = Infinity, stdin } = options
  const named = options.format ?? formatOfName(file)
  const bytes = await openBytes(file, { encoding, stdin })
  const text = await withFirst(bytes.chunks)
  const format = options.format ?? formatOfText(file, text.first?.toString("utf8", 0, 1000) ?? "", named)
  const name = sourceName(file)
  const table = await tableOf(name, format, text.chunks)
  const counted = new CountedRows(table.rows, limit)
  const head = await counted.head(() => text.bytesRead() < HEAD_BYTES)
  return {
    name,
    format,
    columns: table.columns ?? fieldsOf(head),
    head,
    notes: table.notes ?? [],
    rows: counted.all(),
    total: () => counted.total(bytes.size, bytes.position())
  }
}

interface Table {
  readonly columns?: ReadonlyArray<string>
  readonly notes?: ReadonlyArray<string>
  readonly rows: RowChunks
}

/** Parsers are loaded when they are needed. */
const tableOf = async (name: string, format: Format, chunks: AsyncIterable<Buffer>): Promise<Table> => {
  if (format === "jsonl") return { rows: jsonLines(name, chunks) }
  if (format === "json") return { rows: (await import("./jsonArray.ts")).jsonArray(name, chunks) }
  return (await import("./csv.ts")).csvTable(name, chunks, DELIMITERS[format])
}

interface Text {
  readonly first: Buffer | undefined
  readonly chunks: AsyncIterable<Buffer>
  readonly bytesRead: () => number
}

const withFirst = async (chunks: AsyncIterable<Buffer>): Promise<Text> => {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  let bytesRead = 0
  async function* all(): AsyncGenerator<Buffer> {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) {
        bytesRead += next.value.length
        yield next.value
      }
    } finally {
      // Closes the file, or ends standard input, where no more rows are wanted.
      await iterator.return?.()
    }
  }
  return { first: first.done === true ? undefined : first.value, chunks: all(), bytesRead: () => bytesRead }
}

const fieldsOf = (head: ReadonlyArray<RowItem>): ReadonlyArray<string> => {
  const fields = new Set<string>()
  for (const item of head) if (!(item instanceof MalformedRow)) for (const name of Object.keys(item)) fields.add(name)
  return [...fields]
}

/** Counts rows as they are read, and ends at a limit. */
class CountedRows {
  readonly #source: RowChunks
  readonly #limit: number
  readonly #held: Array<ReadonlyArray<RowItem>> = []
  #count = 0
  #isAtEnd = false

  constructor(source: RowChunks, limit: number) {
    this.#source = source
    this.#limit = limit
  }

  async #next(): Promise<ReadonlyArray<RowItem> | undefined> {
    if (this.#isAtEnd) return undefined
    const next = await this.#source.next()
    if (next.done === true) {
      this.#isAtEnd = true
      return undefined
    }
    const left = this.#limit - this.#count
    const items = next.value.length > left ? next.value.slice(0, left) : next.value
    this.#count += items.length
    if (this.#count >= this.#limit) {
      this.#isAtEnd = true
      await this.#source.return(undefined)
    }
    return items
  }

  async head(mayRead: () => boolean): Promise<ReadonlyArray<RowItem>> {
    while (this.#count < HEAD_ROWS && (this.#count === 0 || mayRead())) {
      const items = await this.#next()
      if (items === undefined) break
      this.#held.push(items)
    }
    return this.#held.flat().slice(0, HEAD_ROWS)
  }

  async *all(): RowChunks {
    for (let items = this.#held.shift(); items !== undefined; items = this.#held.shift()) yield items
    try {
      for (let items = await this.#next(); items !== undefined; items = await this.#next()) yield items
    } finally {
      await this.#source.return(undefined)
    }
  }

  /** An estimate by bytes until the end has been read. */
  total(size: number | undefined, position: number): ReturnType<RowSource["total"]> {
    if (this.#isAtEnd) return { rows: this.#count, isExact: true }
    if (size === undefined || position === 0) return undefined
    return {
      rows: Math.min(this.#limit, Math.max(this.#count, Math.round((this.#count * size) / position))),
      isExact: false
    }
  }
}

/** Only the rows that can be read. */
export const readableRows = (items: ReadonlyArray<RowItem>): ReadonlyArray<Row> =>
  items.filter((item): item is Row => !(item instanceof MalformedRow))
