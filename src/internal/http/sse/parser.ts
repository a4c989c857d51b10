/** Parses server-sent events (HTML standard, "Interpreting an event stream"). */
import { asBuffer, EventScanner } from "./scanner.ts"
import { WholeEvents } from "./splitter.ts"

/** The lines between two empty ones. */
export interface Block {
  /** Value of the last `event` field, "" without one. */
  readonly name: string
  /** Values of the `data` fields, joined by LF; `undefined` without one: then it is no event. */
  readonly data: string | undefined
  /** Offsets of its first line, and of the end of its last. */
  readonly start: number
  readonly end: number
}

export interface ServerSentEvent extends Block {
  readonly data: string
}

const CR = 0x0d
const LF = 0x0a
const COLON = 0x3a
const SPACE = 0x20
const D = 0x64
const E = 0x65

/** The end of the text if it is nowhere. */
const indexOf = (text: string, character: string, from: number): number => {
  const at = text.indexOf(character, from)
  return at < 0 ? text.length : at
}

/** The value of the field whose name ends at `at`; `undefined` if the name goes on. */
const valueOf = (text: string, at: number, end: number): string | undefined => {
  if (at === end) return ""
  if (text.charCodeAt(at) !== COLON) return undefined
  return text.slice(text.charCodeAt(at + 1) === SPACE ? at + 2 : at + 1, end)
}

/** The blocks of a text. The last one may lack its empty line. */
export const blocksIn = (text: string): Array<Block> => {
  const blocks: Array<Block> = []
  const { length } = text
  let lf = -1
  let cr = -1
  let name = ""
  let data: string | undefined
  let start = -1
  let end = 0
  for (let at = 0; at < length;) {
    if (lf < at) lf = indexOf(text, "\n", at)
    if (cr < at) cr = indexOf(text, "\r", at)
    const stop = lf < cr ? lf : cr
    if (stop > at) {
      if (start < 0) start = at
      end = stop
      const first = text.charCodeAt(at)
      if (first === D && text.startsWith("data", at)) {
        const value = valueOf(text, at + 4, stop)
        if (value !== undefined) data = data === undefined ? value : `${data}\n${value}`
      } else if (first === E && text.startsWith("event", at)) name = valueOf(text, at + 5, stop) ?? name
    } else if (start >= 0) {
      blocks.push({ name, data, start, end })
      name = ""
      data = undefined
      start = -1
    }
    at = text.charCodeAt(stop) === CR && text.charCodeAt(stop + 1) === LF ? stop + 2 : stop + 1
  }
  if (start >= 0) blocks.push({ name, data, start, end })
  return blocks
}

const isEvent = (block: Block): block is ServerSentEvent => block.data !== undefined

/** The events of a text, the last of which may lack its empty line. */
export const eventsIn = (text: string): Array<ServerSentEvent> => blocksIn(text).filter(isEvent)

/** Parses a stream, read by read. */
export class EventParser {
  readonly #scanner = new EventScanner()
  readonly #events = new WholeEvents()

  /** Returns the events that are whole with these bytes, which may be cut anywhere. */
  push(bytes: Uint8Array): ReadonlyArray<ServerSentEvent> {
    const chunk = asBuffer(bytes)
    const whole = this.#events.chunk(chunk, this.#scanner.scan(chunk))
    // Line ends are ASCII, so whole events are whole characters.
    return whole === undefined ? [] : eventsIn(whole.toString())
  }
}
