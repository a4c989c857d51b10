/**
 * What is known of the answers of paths that generate, for any provider that speaks OpenAI's dialects. SDKs take a stream
 * that just stops for one that is over, and a page of HTML for an answer: here both are told apart.
 */
import { WireError, type WireResponse } from "../wire.ts"

/** The last words of a stream; in JSON a quote within a string is escaped, so no generated text can pass for them. */
const lastWords: ReadonlyArray<readonly [path: RegExp, end: RegExp]> = [
  // Some servers leave `[DONE]` out, so a finish reason will do; an error that the stream tells is an end as well.
  [/\/completions(?:\?|$)/, /"finish_reason"\s*:\s*"|[\r\n]data: ?(?:\[DONE\]|\{\s*"error")|[\r\n]event: ?error/],
  [
    /\/responses(?:\/[^/?]+)?(?:\?|$)/,
    /[\r\n]event: ?(?:response\.(?:completed|failed|incomplete)|error)|"type"\s*:\s*"response\.(?:completed|failed|incomplete)"|[\r\n]data: ?\{\s*"(?:error"|type"\s*:\s*"error")/
  ]
]

/** Longer than any of those words, which may be cut anywhere. */
const carried = 64

/** Looks for the last words of an event stream while somebody else reads it. Keeps a few characters. */
export class Ending {
  readonly #end: RegExp
  #rest = "\n"
  #come = false

  constructor(end: RegExp) {
    this.#end = end
  }

  /** A chunk of the decoded body, cut anywhere. */
  add(chunk: Uint8Array): void {
    if (this.#come) return
    const text = this.#rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1")
    this.#come = this.#end.test(text)
    this.#rest = text.slice(-carried)
  }

  /** Why a body that is over now is not whole; `undefined` if it is. */
  missing(): WireError | undefined {
    return this.#come
      ? undefined
      : new WireError("Connection", "maybe", "the event stream stopped before its last event: it was cut on its way")
  }
}

/** For an event stream that `url` answers with; `undefined` if nobody knows how such a one ends. */
export const endingOf = (url: string): Ending | undefined => {
  const known = lastWords.find(([path]) => path.test(url))
  return known === undefined ? undefined : new Ending(known[1])
}

const generation = /\/(?:completions|embeddings|moderations|responses)(?:\?|$)/

/** Whether a success can only be JSON, or an event stream. */
export const isJsonOnly = (method: string, url: string): boolean => method === "POST" && generation.test(url)

/** Some servers call their JSON plain text, and some readers don't mind. */
export const looksLikeJson = (bytes: Uint8Array): boolean => {
  // After a byte order mark, if there is one.
  let at = bytes[0] === 0xef ? 3 : 0
  while (at < bytes.length && bytes[at]! <= 0x20) at++
  return bytes[at] === 0x7b || bytes[at] === 0x5b
}

const typeOf = ({ headers }: WireResponse): string => headers.find(([name]) => name === "content-type")?.[1] ?? ""

/** Text of another kind than JSON's own. */
export const isPage = (wire: WireResponse): boolean => /^text\//i.test(typeOf(wire))

export const notJson = (wire: WireResponse, isEmpty: boolean): WireError => {
  const what = isEmpty ? "nothing" : typeOf(wire).slice(0, 100) || "a body of no type"
  return new WireError("Malformed", "yes", `the server answered with ${what} where JSON should be`)
}
