/** Reads a JSON array, one element a row, without holding more than one of them. */
import { CommandError, EXIT } from "../exit.ts"
import { MAX_ROW_CHARACTERS, parseRow, type RowChunks, type RowItem } from "./rows.ts"

const QUOTE = 34
const COMMA = 44
const OPEN_BRACKET = 91
const BACKSLASH = 92
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

/** Splits an array's text at the commas between its elements. The elements themselves are parsed by `JSON.parse`. */
class ElementSplitter {
  /** Of open brackets and braces; the array's own is the first. */
  #depth = 0
  #inString = false
  #escaped = false
  #pending = ""
  #count = 0
  /** True once the array has been closed. */
  ended = false

  get pendingLength(): number {
    return this.#pending.length
  }

  get hasBegun(): boolean {
    return this.#depth > 0 || this.ended
  }

  /** Elements that end in this text. */
  push(text: string): ReadonlyArray<RowItem> {
    const items: Array<RowItem> = []
    let start = 0
    for (let i = 0; i < text.length && !this.ended; i++) {
      const code = text.charCodeAt(i)
      if (this.#inString) this.#step(code)
      else if (code === QUOTE) this.#inString = true
      else if (code === OPEN_BRACKET || code === OPEN_BRACE) {
        if (this.#depth++ === 0) start = i + 1
      } else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) {
        if (--this.#depth > 0) continue
        this.ended = true
        this.#end(items, text.slice(start, i), true)
      } else if (code === COMMA && this.#depth === 1) {
        this.#end(items, text.slice(start, i), false)
        start = i + 1
      }
    }
    if (this.#depth > 0) this.#pending += text.slice(start)
    return items
  }

  #step(code: number): void {
    if (this.#escaped) this.#escaped = false
    else if (code === BACKSLASH) this.#escaped = true
    else if (code === QUOTE) this.#inString = false
  }

  #end(items: Array<RowItem>, text: string, isLast: boolean): void {
    const element = (this.#pending + text).trim()
    this.#pending = ""
    if (isLast && element === "" && this.#count === 0) return
    this.#count++
    items.push(parseRow(element, this.#count, `element ${this.#count}`))
  }
}

/** `name` is that of the source, for errors. */
export async function* jsonArray(name: string, chunks: AsyncIterable<Buffer>): RowChunks {
  const splitter = new ElementSplitter()
  for await (const chunk of chunks) {
    const text = chunk.toString("utf8")
    if (!splitter.hasBegun && !/^\s*(?:\[|$)/.test(text)) {
      throw new CommandError(`${name} is no JSON array; see --format`, EXIT.usage)
    }
    const items = splitter.push(text)
    if (splitter.pendingLength > MAX_ROW_CHARACTERS) {
      throw new CommandError(`an element of ${name} is longer than ${MAX_ROW_CHARACTERS >> 20} Mi characters`, EXIT.io)
    }
    if (items.length > 0) yield items
    if (splitter.ended) return
  }
  if (splitter.hasBegun) throw new CommandError(`the JSON array of ${name} has no end; is the file cut off?`, EXIT.io)
}
