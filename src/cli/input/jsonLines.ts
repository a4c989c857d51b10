/** Reads lines of JSON, one object a row. Blank lines are skipped. */
import { CommandError, EXIT } from "../exit.ts"
import { MAX_ROW_CHARACTERS, parseRow, type RowChunks, type RowItem } from "./rows.ts"

const isBlank = (line: string): boolean => /^\s*$/.test(line)

/** `name` is that of the source, for errors. */
export async function* jsonLines(name: string, chunks: AsyncIterable<Buffer>): RowChunks {
  let rest = ""
  let line = 1
  const add = (items: Array<RowItem>, text: string): void => {
    if (!isBlank(text)) items.push(parseRow(text, line, `line ${line}`))
    line++
  }
  for await (const chunk of chunks) {
    const fresh = chunk.toString("utf8")
    const items: Array<RowItem> = []
    let start = 0
    let end = fresh.indexOf("\n")
    if (end >= 0) {
      add(items, rest + fresh.slice(0, end))
      start = end + 1
      for (end = fresh.indexOf("\n", start); end >= 0; end = fresh.indexOf("\n", start)) {
        add(items, fresh.slice(start, end))
        start = end + 1
      }
      rest = fresh.slice(start)
    } else rest += fresh
    if (rest.length > MAX_ROW_CHARACTERS) {
      const bound = `${MAX_ROW_CHARACTERS >> 20} Mi characters`
      throw new CommandError(`line ${line} of ${name} is longer than ${bound}; is it JSON lines? See --format`, EXIT.io)
    }
    if (items.length > 0) yield items
  }
  const last: Array<RowItem> = []
  add(last, rest)
  if (last.length > 0) yield last
}
