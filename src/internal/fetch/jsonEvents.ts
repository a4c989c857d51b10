/**
 * Events for an SDK that prints those which are no JSON, as Cerebras's does: to the console and as they came, line breaks
 * and control characters included. It gets to see none.
 */
import { type WireBody, WireError } from "../wire.ts"

const LF = 10

/** What ends an event. */
const blank = /(?:\r\n|\n|\r(?!\n)){2,}/g

/** The same in what may go on: a CR at the very end may be half of what ends a line. */
const surelyBlank = /(?:\r\n|\n|\r(?!\n|$)){2,}/g

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const isReadable = (event: string): boolean => {
  // As nearly all are.
  if (event.startsWith("data: {") && !/[\r\n]/.test(event)) return isJson(event.slice(6))
  const data = event
    .split(/\r\n|\n|\r/)
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(line[5] === " " ? 6 : 5)] : []))
    .join("\n")
  return data === "" || data.startsWith("[DONE]") || isJson(data)
}

/** Where the first whole event begins that can't be read, `undefined` if there is none. */
const unreadable = (text: string): number | undefined => {
  let from = 0
  for (const { 0: end, index } of text.matchAll(blank)) {
    if (!isReadable(text.slice(from, index))) return from
    from = index + end.length
  }
  return undefined
}

/** Where the last event that is whole ends, 0 if none does. What is before `from` holds no end. */
const lastEnd = (text: string, from: number): number => {
  let end = 0
  surelyBlank.lastIndex = from
  while (surelyBlank.test(text)) end = surelyBlank.lastIndex
  return end
}

/** Of an event whose lines are one character and CRLF each. */
const withLineEnds = 3

/**
 * `body` event by event, up to the first that is no JSON: then it fails as Malformed. Of one that has more than `most`
 * bytes beside its line ends it passes on what there is, for others to refuse. What comes after the last empty line is no
 * event, and passes as it is.
 */
export const jsonEvents = (body: WireBody, most: number): WireBody => {
  // One character a byte, which is all that JSON needs to be told from what is none.
  let rest = ""
  let isOver = false
  const fail = (): never => {
    body.cancel()
    throw new WireError("Malformed", "yes", "an event in the response's stream is no JSON")
  }
  const take = (length: number): Uint8Array => {
    const bytes = Buffer.from(rest.slice(0, length), "latin1")
    rest = rest.slice(length)
    return bytes
  }
  const pass = (length: number): Uint8Array => {
    const bad = unreadable(rest.slice(0, length))
    isOver = bad !== undefined
    return bad === 0 ? fail() : take(bad ?? length)
  }
  const read = async (): Promise<Uint8Array | undefined> => {
    if (isOver) return fail()
    for (;;) {
      const chunk = await body.read()
      if (chunk === undefined) return rest === "" ? undefined : pass(rest.length)
      const { buffer, byteLength, byteOffset } = chunk
      const before = rest.length
      rest += Buffer.from(buffer, byteOffset, byteLength).toString("latin1")
      const isWhole = chunk[byteLength - 1] === LF && chunk[byteLength - 2] === LF
      const end = isWhole ? rest.length : lastEnd(rest, Math.max(0, before - 3))
      if (end === 0) {
        if (rest.length <= withLineEnds * most) continue
        return take(rest.length)
      }
      if (before > 0 || end < rest.length || unreadable(rest) !== undefined) return pass(end)
      rest = ""
      return chunk
    }
  }
  return { read, cancel: () => body.cancel(), onEnd: (f) => body.onEnd(f) }
}
