/**
 * Events for an SDK that prints those which are no JSON, as Cerebras's does: to the console and as they came, line breaks
 * and control characters included. It gets to see none.
 */
import type { WireBody } from "../types.ts"
import { WireError } from "../../wire/errors.ts"
import { WholeEvents } from "./splitter.ts"

/** Matches the end of an event. */
const blank = /(?:\r\n|\n|\r(?!\n)){2,}/g

export const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** SDKs dispatch an event that has a name or data, be that empty; comments and the like are none. */
const isDispatched = /^(?:data\b|event:.*\S)/m

const isReadable = (event: string): boolean => {
  // As nearly all are.
  if (event.startsWith("data: {") && !/[\r\n]/.test(event)) return isJson(event.slice(6))
  const data = event
    .split(/\r\n|\n|\r/)
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(line[5] === " " ? 6 : 5)] : []))
    .join("\n")
  return !isDispatched.test(event) || data.startsWith("[DONE]") || isJson(data)
}

/** True if one of these events, a whole number of them, is invalid JSON. */
export const haveUnreadable = (events: Uint8Array): boolean =>
  unreadable(Buffer.from(events.buffer, events.byteOffset, events.byteLength).toString("latin1")) !== undefined

/** Offset of the first whole event that can't be read, `undefined` if there is none. */
const unreadable = (text: string): number | undefined => {
  let from = 0
  for (const { 0: end, index } of text.matchAll(blank)) {
    if (!isReadable(text.slice(from, index))) return from
    from = index + end.length
  }
  return undefined
}

/** Most bytes of an event for each byte beside its line ends: its lines are one character and CRLF each. */
const withLineEnds = 3

/**
 * `body` event by event, up to the first that is no JSON: then it fails as Malformed. Of one that has more than `most`
 * bytes beside its line ends it passes on what there is, for others to refuse. What comes after the last empty line is no
 * event, and passes as it is.
 */
export const jsonEvents = (body: WireBody, most: number): WireBody => {
  const events = new WholeEvents()
  let isOver = false
  const fail = (): never => {
    body.cancel()
    throw new WireError("Malformed", "yes", "an event in the response's stream is invalid JSON")
  }
  const pass = (bytes: Buffer): Uint8Array => {
    // One character a byte, which is all that JSON needs to be told from what is none.
    const bad = unreadable(bytes.toString("latin1"))
    isOver = bad !== undefined
    return bad === 0 ? fail() : bytes.subarray(0, bad)
  }
  const read = async (): Promise<Uint8Array | undefined> => {
    if (isOver) return fail()
    for (;;) {
      const chunk = await body.read()
      const whole = chunk === undefined ? events.rest() : events.chunk(chunk)
      if (whole !== undefined) return pass(whole)
      if (chunk === undefined) return undefined
      if (events.held > withLineEnds * most) return events.rest()
    }
  }
  return { read, cancel: () => body.cancel(), onEnd: (f) => body.onEnd(f) }
}
