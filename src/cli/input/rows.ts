/** Rows as readers give them. */

export type Row = Readonly<Record<string, unknown>>

/** A row that can't be read; the others can. */
export class MalformedRow {
  readonly line: number
  /** The problem and its place. */
  readonly message: string
  /** Its text, cut to `MALFORMED_EXCERPT_CHARACTERS`. */
  readonly raw: string

  constructor(line: number, message: string, raw: string) {
    this.line = line
    this.message = message
    this.raw = raw.slice(0, MALFORMED_EXCERPT_CHARACTERS)
  }
}

const MALFORMED_EXCERPT_CHARACTERS = 1000

export type RowItem = Row | MalformedRow

/** Rows, one array for each read of the source. */
export type RowChunks = AsyncGenerator<ReadonlyArray<RowItem>>

/** Longest row. Beyond it a file is most likely of another format. */
export const MAX_ROW_CHARACTERS = 64 << 20

/** A parsed value as a row. `where` names its place, such as "line 4". */
export const asRow = (value: unknown, line: number, where: string, raw: string): RowItem =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Row)
    : new MalformedRow(line, `${where} is no JSON object`, raw)

export const parseRow = (text: string, line: number, where: string): RowItem => {
  try {
    return asRow(JSON.parse(text), line, where, text)
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : ""
    return new MalformedRow(line, `${where} is invalid JSON: ${reason}`, text)
  }
}
