/** Tells a SyntaxError that comes of an answer from one of the caller's own: by what the reader was given last. */
import { firstUnreadable } from "./sse/jsonEvents.ts"
import { parseJson } from "../util/json.ts"

export interface LastRead {
  /** A whole answer, or whole events of a stream. */
  readonly text: Uint8Array | string
  readonly isEvents: boolean
  /** Of a stream: lines of data that its reader has been given so far, so about the number of its events. @default 0 */
  readonly events?: number
}

export const isUnreadable = ({ isEvents, text }: LastRead): boolean => {
  if (typeof text !== "string" && isEvents) return firstUnreadable(text) !== undefined
  return parseJson(typeof text === "string" ? text : new TextDecoder().decode(text)) === undefined
}

/** A response of the platform that calls `given` with its text when somebody reads it as text or JSON. */
export const telling = (response: Response, given: (text: string) => void): Response => {
  const read = response.text.bind(response)
  const text = async (): Promise<string> => {
    const all = await read()
    given(all)
    return all
  }
  const json = async (): Promise<unknown> => JSON.parse(await text())
  return Object.defineProperties(response, {
    text: { value: text, configurable: true, writable: true },
    json: { value: json, configurable: true, writable: true }
  })
}
