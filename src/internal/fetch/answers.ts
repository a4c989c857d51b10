/**
 * What is known of the answers of paths that generate, for any provider that speaks OpenAI's dialects. SDKs take a stream
 * that just stops for one that is over, and a page of HTML for an answer: here both are told apart.
 */
import { Tail } from "../tail.ts"
import { WireError, type WireResponse } from "../wire.ts"

/** Looks for the last words of an event stream while somebody else reads it. */
export interface Ending {
  /** To be given every chunk of the decoded body, cut anywhere. */
  readonly add: (chunk: Uint8Array) => void
  /** Whether they have come, once the body is over. */
  readonly hasCome: () => boolean
  /** What is kept of the end, one character a byte; "" if that is less than an event. */
  readonly tail: () => string
}

/**
 * In JSON a quote within a string is escaped, and so is a line break, so no generated text can pass for one of these. Some
 * servers leave `[DONE]` out, so a finish reason will do; an error that the stream tells is an end as well.
 */
const ofCompletions = /"finish_reason"\s*:\s*"|[\r\n]data: ?(?:\[DONE\]|\{\s*"error")|[\r\n]event: ?error/
const ofResponses =
  /[\r\n]event: ?(?:response\.(?:completed|failed|incomplete)|error)|"type"\s*:\s*"response\.(?:completed|failed|incomplete)"|[\r\n]data: ?\{\s*"(?:error"|type"\s*:\s*"error")/

/** What comes after a finish reason, usage and the verdicts of filters, has a few hundred bytes. */
const tailBytes = 2048

/** Nothing is looked at before the end: this is the path of every token. */
class CompletionsEnding implements Ending {
  readonly #tail = new Tail(tailBytes)

  add(chunk: Uint8Array): void {
    this.#tail.add(chunk)
  }

  hasCome(): boolean {
    const text = this.#tail.text()
    return ofCompletions.test(this.#tail.isWhole ? `\n${text}` : text)
  }

  tail(): string {
    return this.#tail.text()
  }
}

/** Longer than any of its words, which may be cut anywhere. */
const carried = 64

/** The last event repeats all of the answer, and says at its beginning what it is: so each chunk is looked at. */
class ResponsesEnding implements Ending {
  #rest = "\n"
  #come = false

  add(chunk: Uint8Array): void {
    if (this.#come) return
    const text = this.#rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1")
    this.#come = ofResponses.test(text)
    this.#rest = text.slice(-carried)
  }

  hasCome(): boolean {
    return this.#come
  }

  tail(): string {
    return ""
  }
}

/** For an event stream that `url` answers with; `undefined` if nobody knows how such a one ends. */
export const endingOf = (url: string): Ending | undefined => {
  if (/\/completions(?:\?|$)/.test(url)) return new CompletionsEnding()
  return /\/responses(?:\/[^/?]+)?(?:\?|$)/.test(url) ? new ResponsesEnding() : undefined
}

export const cutShort = (): WireError =>
  new WireError("Connection", "maybe", "the event stream stopped before its last event: it was cut on its way")

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

/** What JSON tells of a failure, as the event that readers of streams expect; `undefined` if it tells of none. */
export const failureAsEvent = (bytes: Uint8Array): Uint8Array | undefined => {
  let said: unknown
  try {
    said = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
  const failed = typeof said === "object" && said !== null && "error" in said && said.error != null
  return failed ? Buffer.from(`data: ${JSON.stringify(said)}\n\n`) : undefined
}

/** The same answer with a body that is events now. */
export const asEvents = (wire: WireResponse): WireResponse => ({
  ...wire,
  headers: [
    ...wire.headers.filter(([name]) => !/^content-(?:type|length|encoding)$/.test(name)),
    ["content-type", "text/event-stream"]
  ]
})

export const noEvents = (wire: WireResponse): WireError => {
  const what = typeOf(wire).slice(0, 100) || "a body of no type"
  return new WireError("Malformed", "yes", `the server answered with ${what} where a stream of events was asked for`)
}

export const notJson = (wire: WireResponse, isEmpty: boolean): WireError => {
  const what = isEmpty ? "nothing" : typeOf(wire).slice(0, 100) || "a body of no type"
  return new WireError("Malformed", "yes", `the server answered with ${what} where JSON should be`)
}
