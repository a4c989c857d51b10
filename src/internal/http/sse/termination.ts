/**
 * Detects the end of event streams that generate, for any provider that speaks OpenAI's dialects or Anthropic's. SDKs
 * take a stream that just stops for a complete one: here the two are told apart.
 */
import { Tail } from "../tailBuffer.ts"
import { property } from "../errorBody.ts"
import { WireError } from "../../wire/errors.ts"
import { type Clean, parsed, toldFailure } from "../redactErrorBody.ts"

/** Looks for the last words of an event stream while somebody else reads it. */
export interface Ending {
  /** To be given every chunk of the decoded body, cut anywhere. */
  readonly add: (chunk: Uint8Array) => void
  /** True if the last words have come, once the body is over. */
  readonly hasCome: () => boolean
  /** The kept end, one character a byte; "" if that is less than an event. */
  readonly tail: () => string
  /**
   * Error for a reader that has come to the end: the last words are missing, or report an error. Most SDKs have thrown
   * the reported error by then; others read over it. `clean` takes secrets out of the part that is quoted.
   */
  readonly failure: (clean: Clean) => WireError | undefined
}

const cutShort = (): WireError => new WireError("Connection", "maybe", "the event stream was cut before its last event")

/** Matches the end of an event. Readers drop an event without it. */
const blank = /\r\n\r\n|\n\n|\r\r/

const inWhole = (event: RegExp): string => `(?:${event.source})[^]*?(?:${blank.source})`

/**
 * In JSON a quote within a string is escaped, and so is a line break, so no generated text can pass for one of these. Some
 * servers leave `[DONE]` out, so a finish reason will do, unless another choice says after it that it goes on; an error that
 * all SDKs throw is an end as well.
 */
const ofCompletions = new RegExp(
  String.raw`[\r\n]data: ?\[DONE\]|` +
    inWhole(/"finish_reason"\s*:\s*"(?![^]*"finish_reason"\s*:\s*null)|[\r\n]data: ?\{\s*"error"/)
)

/** The last event that is not `[DONE]`: its name, if that is an error, and what it says. */
const lastEvent = /[\r\n](event: ?error(?:\r\n|\n|\r))?data: ?([^\r\n]*)[\r\n]*(?:data: ?\[DONE\][\r\n]*)?$/

/** The first line has no break before it. */
const linesOf = (tail: Tail): string => (tail.isWhole ? `\n${tail.text()}` : tail.text())

const tellsError = (said: unknown): boolean => property(said, "error") != null || property(said, "type") === "error"

const errorIn = (tail: Tail, clean: Clean): WireError | undefined => {
  const [, name, data] = lastEvent.exec(linesOf(tail)) ?? []
  if (data === undefined || (name === undefined && !data.includes('"error"'))) return undefined
  const text = Buffer.from(data, "latin1").toString()
  return name === undefined && !tellsError(parsed(text)) ? undefined : toldFailure(text, clean)
}

/** Anthropic's. */
const ofMessages = new RegExp(
  inWhole(/"type"\s*:\s*"message_stop"|[\r\n]event: ?(?:message_stop|error)|[\r\n]data: ?\{\s*"type"\s*:\s*"error"/)
)

/** Bytes kept of the end. Usage and the verdicts of filters, which come after a finish reason, have a few hundred. */
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
    return this.#words.test(linesOf(this.#tail))
  }

  tail(): string {
    return this.#tail.text()
  }

  failure(clean: Clean): WireError | undefined {
    return errorIn(this.#tail, clean) ?? (this.hasCome() ? undefined : cutShort())
  }
}

const ofResponses =
  /[\r\n]event: ?(?:response\.(?:completed|failed|incomplete)|error)|"type"\s*:\s*"response\.(?:completed|failed|incomplete)"|[\r\n]data: ?\{\s*"(?:error"|type"\s*:\s*"error")/

/** OpenAI's of pictures and speech. Other servers have their own on these paths, whose ends nobody knows. */
const beginsMedia = /"type"\s*:\s*"(?:image_generation|image_edit|transcript\.text|speech\.audio)\./
const ofMedia =
  /"type"\s*:\s*"(?:image_generation\.completed|image_edit\.completed|transcript\.text\.done|speech\.audio\.done|error)"|[\r\n]event: ?error|[\r\n]data: ?(?:\[DONE\]|\{\s*"error")/

/** Longer than any of its words, which may be cut anywhere. */
const carried = 64

/** The last event is as long as all of the answer, and says at its beginning what it is: so each chunk is looked at. */
class LongEnding implements Ending {
  readonly #last: RegExp
  /** Matches an event by which the stream is known; `undefined` once one has come, or if none is needed. */
  #first: RegExp | undefined
  #rest = "\n"
  #isLast = false
  #come = false
  /** The end of the stream, in which an error is looked for. */
  readonly #tail = new Tail(tailBytes)

  constructor(last: RegExp, first?: RegExp) {
    this.#last = last
    this.#first = first
  }

  add(chunk: Uint8Array): void {
    if (this.#come) return
    this.#tail.add(chunk)
    let text = this.#rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1")
    if (this.#first?.test(text) === true) this.#first = undefined
    if (!this.#isLast) {
      const at = text.search(this.#last)
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
    return this.#come || this.#first !== undefined
  }

  tail(): string {
    return ""
  }

  failure(clean: Clean): WireError | undefined {
    return errorIn(this.#tail, clean) ?? (this.hasCome() ? undefined : cutShort())
  }
}

/** For an event stream that `url` answers with; `undefined` if nobody knows how such a one ends. */
export const endingOf = (url: string): Ending | undefined => {
  if (/\/completions(?:\?|$)/.test(url)) return new ShortEnding(ofCompletions)
  if (/(?<!\/threads\/[^/]*)\/messages(?:\?|$)/.test(url)) return new ShortEnding(ofMessages)
  if (/\/responses(?:\/[^/?]+)?(?:\?|$)/.test(url)) return new LongEnding(ofResponses)
  const isMedia = /\/(?:audio\/(?:transcriptions|translations|speech)|images\/(?:generations|edits))(?:\?|$)/.test(url)
  return isMedia ? new LongEnding(ofMedia, beginsMedia) : undefined
}
