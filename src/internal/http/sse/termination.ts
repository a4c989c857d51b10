/**
 * Detects the end of event streams that generate, for any provider that speaks OpenAI's dialects or Anthropic's. SDKs
 * take a stream that just stops for a complete one: here the two are told apart.
 */
import { eventsIn } from "./parser.ts"
import { asBuffer } from "./scanner.ts"
import { reportsError } from "../errorBody.ts"
import { type Clean, toldFailure } from "../redactErrorBody.ts"
import { Tail } from "../tailBuffer.ts"
import { parseJson } from "../../util/json.ts"
import { WireError } from "../../wire/errors.ts"

/** Looks for the last words of an event stream while somebody else reads it. */
export interface Ending {
  /** To be given every chunk of the decoded body, cut anywhere, and what `EventScanner.scan` returned for it. */
  readonly add: (chunk: Uint8Array, end: number) => void
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

/** Last words of a stream. In JSON a quote or line break within a string is escaped, so no generated text can pass for one. */
interface Words {
  /** Count wherever they stand. @default none do */
  readonly anywhere?: RegExp
  /** Count within an event that has ended: readers drop others. */
  readonly inEvent: RegExp
}

/**
 * Some servers leave `[DONE]` out, so a finish reason will do, unless another choice says after it that it goes on; an
 * error that all SDKs throw is an end as well.
 */
const ofCompletions: Words = {
  anywhere: /[\r\n]data: ?\[DONE\]/,
  inEvent: /"finish_reason"\s*:\s*"(?![^]*"finish_reason"\s*:\s*null)|[\r\n]data: ?\{\s*"error"/
}

/** Anthropic's. */
const ofMessages: Words = {
  inEvent: /"type"\s*:\s*"message_stop"|[\r\n]event: ?(?:message_stop|error)|[\r\n]data: ?\{\s*"type"\s*:\s*"error"/
}

/** The first line has no break before it. */
const linesOf = (tail: Tail): string => (tail.isWhole ? `\n${tail.text()}` : tail.text())

/** Parsing costs more than all else that is done at the end of a stream, and few end in an error. */
const mayTellError = /"error"|event: ?error/

/** Error that the last event reports, but for `[DONE]`. It need not have ended. */
const errorIn = (tail: Tail, clean: Clean): WireError | undefined => {
  const lines = linesOf(tail)
  if (!mayTellError.test(lines)) return undefined
  // Past the line that may have begun before the text.
  const events = eventsIn(lines.slice(lines.search(/[\r\n]/) + 1))
  const last = events.at(events.at(-1)?.data === "[DONE]" ? -2 : -1)
  if (last === undefined) return undefined
  const text = Buffer.from(last.data.replaceAll("\n", " "), "latin1").toString()
  const isError = last.name.startsWith("error") || (last.data.includes('"error"') && reportsError(parseJson(text)))
  return isError ? toldFailure(text, clean) : undefined
}

/** Bytes kept of the end. Usage and the verdicts of filters, which come after a finish reason, have a few hundred. */
const tailBytes = 2048

/** Nothing is looked at before the end: this is the path of every token. */
class ShortEnding implements Ending {
  readonly #words: Words
  readonly #tail = new Tail(tailBytes)
  /** Bytes after the last event that has ended. */
  #open = 0

  constructor(words: Words) {
    this.#words = words
  }

  add(chunk: Uint8Array, end: number): void {
    this.#open = end > 0 ? chunk.length - end : this.#open + chunk.length
    this.#tail.add(chunk)
  }

  hasCome(): boolean {
    const lines = linesOf(this.#tail)
    const { anywhere, inEvent } = this.#words
    if (anywhere?.test(lines) === true) return true
    const at = lines.search(inEvent)
    // A match may begin with the line break before its event.
    return at >= 0 && at + 1 < lines.length - this.#open
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

  add(chunk: Uint8Array, end: number): void {
    if (this.#come) return
    this.#tail.add(chunk)
    if (this.#isLast) {
      this.#come = end > 0
      return
    }
    const text = this.#rest + asBuffer(chunk).toString("latin1")
    if (this.#first?.test(text) === true) this.#first = undefined
    const at = text.search(this.#last)
    this.#isLast = at >= 0
    // A match may begin with the line break before its event.
    this.#come = this.#isLast && end > 0 && at + 1 < end + this.#rest.length
    this.#rest = text.slice(-carried)
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
