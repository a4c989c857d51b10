/**
 * Events of a stream (HTML standard, 9.2), from chunks of its bytes cut anywhere: by fields `event` and `data`, whose
 * lines end with LF, CR or both. Comments, `id` and `retry` are skipped, and events whose data is empty, which no JSON is.
 */
import { WholeEvents } from "../http/sse/splitter.ts"

export interface ServerEvent {
  /** "" if it has none. */
  readonly name: string
  readonly data: string
}

const LINE_END = /\r\n|\n|\r/
const EVENT_END = /(?:\r\n|\n|\r(?!\n)){2}/

/** Value of a line's field, `undefined` if it is another. One space after the colon is no part of it. */
const valueOf = (line: string, field: "data" | "event"): string | undefined => {
  if (!line.startsWith(field)) return undefined
  if (line.length === field.length) return ""
  if (line[field.length] !== ":") return undefined
  return line.slice(field.length + (line[field.length + 1] === " " ? 2 : 1))
}

const parse = (event: string, into: Array<ServerEvent>): void => {
  let name = ""
  let data: string | undefined
  for (const line of event.split(LINE_END)) {
    const value = valueOf(line, "data")
    if (value !== undefined) data = data === undefined ? value : `${data}\n${value}`
    else name = valueOf(line, "event") ?? name
  }
  if (data !== undefined && data !== "") into.push({ name, data })
}

/** Nearly all events are one line of data, and nearly all lines end with LF. */
const parsePlain = (text: string, into: Array<ServerEvent>): void => {
  let from = 0
  while (from < text.length) {
    const found = text.indexOf("\n\n", from)
    const end = found < 0 ? text.length : found
    const isOneLine = end > from + 6 && text.startsWith("data: ", from) && !text.slice(from, end).includes("\n")
    if (isOneLine) into.push({ name: "", data: text.slice(from + 6, end) })
    else parse(text.slice(from, end), into)
    from = end + 2
  }
}

export class EventReader {
  readonly #whole = new WholeEvents()
  #isFirst = true

  /** Events that are whole now that `chunk` has come. */
  read(chunk: Uint8Array): ReadonlyArray<ServerEvent> {
    const bytes = this.#whole.chunk(chunk)
    if (bytes === undefined) return []
    // Whole events, so no character is cut.
    let text = bytes.toString("utf8")
    if (this.#isFirst && text.charCodeAt(0) === 0xfeff) text = text.slice(1)
    this.#isFirst = false
    const events: Array<ServerEvent> = []
    if (!text.includes("\r")) parsePlain(text, events)
    else for (const event of text.split(EVENT_END)) parse(event, events)
    return events
  }
}
