/**
 * Splits CSV (RFC 4180) and TSV into records of cells. A cell that begins with a quote ends with one, and may hold delimiters,
 * line ends and doubled quotes; elsewhere a quote is a character. A record with a quote out of place is malformed by its
 * first line alone, and reading goes on with the next one.
 */
import { MAX_ROW_CHARACTERS } from "./rows.ts"

export interface CsvRecord {
  /** Line that it begins in, from 1. */
  readonly line: number
  readonly cells: ReadonlyArray<string>
  /** What is wrong with it. @default nothing */
  readonly problem?: string | undefined
  /** Its first line, if something is wrong. */
  readonly raw?: string | undefined
}

const QUOTE = 34
const LF = 10
const CR = 13

/** Ends of a cell or record, and of text that goes on. */
const MORE = -1

export class CsvSplitter {
  readonly #delimiter: number
  #text = ""
  #line = 1
  /** Length of text from which another try is worth while: a record is scanned anew at doubled lengths only. */
  #worthwhile = 0

  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0)
  }

  /** Records that end in this text; with `isLast` all that is left. */
  push(text: string, isLast: boolean): ReadonlyArray<CsvRecord> {
    this.#text += text
    const records: Array<CsvRecord> = []
    if (this.#text.length < this.#worthwhile && !isLast) return records
    const scan = new RecordScan(this.#text, this.#delimiter, isLast)
    let at = 0
    while (at < this.#text.length) {
      const record = scan.record(at)
      if (record === undefined) break
      const { cells, end, lines, problem } = record
      const isEmpty = cells.length === 1 && cells[0] === "" && end - at <= 2
      if (problem !== undefined) {
        records.push({ line: this.#line, cells: [], problem, raw: this.#text.slice(at, end) })
      } else if (!isEmpty) records.push({ line: this.#line, cells })
      this.#line += lines
      at = end
    }
    // A copy of the rest would otherwise hold all of the text.
    this.#text = this.#text.slice(at)
    this.#worthwhile = at > 0 ? 0 : 2 * this.#text.length
    return records
  }
}

interface ScannedRecord {
  readonly cells: ReadonlyArray<string>
  /** Where the next record begins. */
  readonly end: number
  /** Lines that it takes. */
  readonly lines: number
  readonly problem: string | undefined
}

/** Scans records in one text. */
class RecordScan {
  readonly #text: string
  readonly #delimiter: number
  readonly #isLast: boolean
  #cell = ""
  #lines = 1

  constructor(text: string, delimiter: number, isLast: boolean) {
    this.#text = text
    this.#delimiter = delimiter
    this.#isLast = isLast
  }

  /** The record at this place; `undefined` if it goes on beyond the text. */
  record(start: number): ScannedRecord | undefined {
    const cells: Array<string> = []
    this.#lines = 1
    for (let at = start; ; at++) {
      const isQuoted = this.#text.charCodeAt(at) === QUOTE
      const end = isQuoted ? this.#quoted(at) : this.#plain(at)
      if (end === MORE) {
        const problem = isQuoted ? "a quote is not closed" : "a row is too long"
        return this.#isEndless(start) ? this.#malformed(start, problem) : undefined
      }
      if (isQuoted && !this.#isEnd(end)) {
        return this.#malformed(start, `text follows a closing quote; write a quote within a cell as ""`)
      }
      cells.push(this.#cell)
      if (this.#text.charCodeAt(end) === this.#delimiter) {
        at = end
        continue
      }
      const next = this.#afterLine(end)
      return next === MORE ? undefined : { cells, end: next, lines: this.#lines, problem: undefined }
    }
  }

  #isEndless(start: number): boolean {
    return this.#isLast || this.#text.length - start > MAX_ROW_CHARACTERS
  }

  #isEnd(at: number): boolean {
    const code = this.#text.charCodeAt(at)
    return at >= this.#text.length || code === this.#delimiter || code === LF || code === CR
  }

  /** Where a cell without quotes ends. */
  #plain(start: number): number {
    const text = this.#text
    for (let at = start; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code !== this.#delimiter && code !== LF && code !== CR) continue
      this.#cell = text.slice(start, at)
      return at
    }
    this.#cell = text.slice(start)
    return this.#isLast ? text.length : MORE
  }

  /** The place after its closing quote. */
  #quoted(start: number): number {
    const text = this.#text
    let isDoubled = false
    let at = text.indexOf('"', start + 1)
    while (at >= 0 && text.charCodeAt(at + 1) === QUOTE) {
      isDoubled = true
      at = text.indexOf('"', at + 2)
    }
    // A quote at the very end may be the first of two.
    if (at < 0 || (at + 1 === text.length && !this.#isLast)) return MORE
    const inner = text.slice(start + 1, at)
    this.#cell = isDoubled ? inner.replaceAll('""', '"') : inner
    if (inner.includes("\n")) this.#lines += inner.split("\n").length - 1
    return at + 1
  }

  /** The place after a line end: LF, CRLF or CR. */
  #afterLine(at: number): number {
    if (this.#text.charCodeAt(at) !== CR) return Math.min(at + 1, this.#text.length)
    if (at + 1 === this.#text.length && !this.#isLast) return MORE
    return this.#text.charCodeAt(at + 1) === LF ? at + 2 : at + 1
  }

  #malformed(start: number, problem: string): ScannedRecord | undefined {
    for (let at = start; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at)
      if (code === LF || code === CR) {
        const end = this.#afterLine(at)
        return end === MORE ? undefined : { cells: [], end, lines: 1, problem }
      }
    }
    return this.#isLast ? { cells: [], end: this.#text.length, lines: 1, problem } : undefined
  }
}
