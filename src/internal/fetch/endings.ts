/**
 * How event streams end that generate, for any provider that speaks OpenAI's dialects or Anthropic's. SDKs take a stream
 * that just stops for one that is over: here both are told apart.
 */
import { Tail } from "../tail.ts"
import { WireError } from "../wire.ts"

/** Looks for the last words of an event stream while somebody else reads it. */
export interface Ending {
  /** To be given every chunk of the decoded body, cut anywhere. */
  readonly add: (chunk: Uint8Array) => void
  /** Whether they have come, once the body is over. */
  readonly hasCome: () => boolean
  /** What is kept of the end, one character a byte; "" if that is less than an event. */
  readonly tail: () => string
}

/** What ends an event. Readers drop one that it is missing of. */
const blank = /\r\n\r\n|\n\n|\r\r/

const inWhole = (event: RegExp): string => `(?:${event.source})[^]*?(?:${blank.source})`

/**
 * In JSON a quote within a string is escaped, and so is a line break, so no generated text can pass for one of these. Some
 * servers leave `[DONE]` out, so a finish reason will do, unless another choice says after it that it goes on; an error that
 * the stream tells is an end as well.
 */
const ofCompletions = new RegExp(
  String.raw`[\r\n]data: ?\[DONE\]|` +
    inWhole(/"finish_reason"\s*:\s*"(?![^]*"finish_reason"\s*:\s*null)|[\r\n]data: ?\{\s*"error"|[\r\n]event: ?error/)
)

/** Anthropic's. */
const ofMessages = new RegExp(
  inWhole(/"type"\s*:\s*"message_stop"|[\r\n]event: ?(?:message_stop|error)|[\r\n]data: ?\{\s*"type"\s*:\s*"error"/)
)

/** What comes after a finish reason, usage and the verdicts of filters, has a few hundred bytes. */
const tailBytes = 2048

/** Nothing is looked at before the end: this is the path of every token. */
class ShortEnding implements Ending {
  readonly #words: RegExp
  readonly #tail = new Tail(tailBytes)

  constructor(words: RegExp) {
    this.#words = words
  }

  add(chunk: Uint8Array): void {
    this.#tail.add(chunk)
  }

  hasCome(): boolean {
    const text = this.#tail.text()
    return this.#words.test(this.#tail.isWhole ? `\n${text}` : text)
  }

  tail(): string {
    return this.#tail.text()
  }
}

const ofResponses =
  /[\r\n]event: ?(?:response\.(?:completed|failed|incomplete)|error)|"type"\s*:\s*"response\.(?:completed|failed|incomplete)"|[\r\n]data: ?\{\s*"(?:error"|type"\s*:\s*"error")/

/** Longer than any of its words, which may be cut anywhere. */
const carried = 64

/** The last event repeats all of the answer, and says at its beginning what it is: so each chunk is looked at. */
class ResponsesEnding implements Ending {
  #rest = "\n"
  #isLast = false
  #come = false

  add(chunk: Uint8Array): void {
    if (this.#come) return
    let text = this.#rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1")
    if (!this.#isLast) {
      const at = text.search(ofResponses)
      if (at < 0) {
        this.#rest = text.slice(-carried)
        return
      }
      this.#isLast = true
      // Past the line break that ended what was before it.
      text = text.slice(at + 1)
    }
    this.#come = blank.test(text)
    this.#rest = text.slice(-3)
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
  if (/\/completions(?:\?|$)/.test(url)) return new ShortEnding(ofCompletions)
  if (/(?<!\/threads\/[^/]*)\/messages(?:\?|$)/.test(url)) return new ShortEnding(ofMessages)
  return /\/responses(?:\/[^/?]+)?(?:\?|$)/.test(url) ? new ResponsesEnding() : undefined
}

export const cutShort = (): WireError =>
  new WireError("Connection", "maybe", "the event stream stopped before its last event: it was cut on its way")
