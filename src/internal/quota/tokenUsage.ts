/**
 * Reads from a response's body how many tokens it really cost, while the caller reads that: JSON, or a stream of
 * events. Only the ends of the body are kept, and they are looked at once, when it is over.
 *
 * No text in a response can pass for a usage: in JSON a quote within a string is escaped, so the key `usage` with its
 * own two quotes is a key, and how deep it lies is counted from the end of the body, or of the event.
 */
import { Ends } from "../http/headTail.ts"
import { eventsIn } from "../http/sse/parser.ts"
import { parseJson } from "../util/json.ts"
import { endOfValue, isEscaped, skipSpace } from "../util/jsonScanner.ts"

export interface Meter {
  /**
   * To be given every chunk of the decoded body, cut anywhere, and the number of data lines of a stream up to its end,
   * about one for each token generated. Keeps no chunk.
   */
  readonly chunk: (bytes: Uint8Array, dataLines: number) => void
  /** All tokens that count toward a limit, once the body is over; `undefined` if it does not say. */
  readonly total: () => number | undefined
  /** Generated tokens among them; `undefined` also for requests that generate nothing, such as embeddings. */
  readonly output: () => number | undefined
  /** All that is said. */
  readonly count: () => Count | undefined
  /**
   * About how many tokens were generated, by what has come, for an answer that does not say: the events of a stream that
   * carry content, or a token for every four characters of JSON. `undefined` for what is neither.
   */
  readonly received: () => number | undefined
}

export interface Count {
  /** All that count toward a limit. */
  readonly total: number
  /** Tokens of the prompt, those from a cache included. */
  readonly input: number | undefined
  readonly output: number | undefined
}

/** The names that any provider uses, each in its own way. */
interface Usage {
  readonly total_tokens?: unknown
  readonly prompt_tokens?: unknown
  readonly completion_tokens?: unknown
  readonly input_tokens?: unknown
  readonly output_tokens?: unknown
  readonly cache_creation_input_tokens?: unknown
  readonly cache_read_input_tokens?: unknown
}

const QUOTE = 0x22
const BRACKET_OPENS = 0x5b
const BRACKET_CLOSES = 0x5d
const BRACE_OPENS = 0x7b
const BRACE_CLOSES = 0x7d

/**
 * The last `usage` in the JSON object with which `text` ends, read from the end; the text may begin anywhere. `deepest`
 * is how many brackets may be open around it.
 */
const lastUsage = (text: string, deepest: number): Usage | undefined => {
  let depth = 0
  for (let at = text.length - 1; at >= 0; at--) {
    // Numbers, not characters: this is looked at for each answer.
    switch (text.charCodeAt(at)) {
      case BRACE_CLOSES:
      case BRACKET_CLOSES:
        depth++
        break
      case BRACE_OPENS:
      case BRACKET_OPENS:
        if (--depth <= 0) return undefined
        break
      case QUOTE: {
        const end = at
        do at = at === 0 ? -1 : text.lastIndexOf('"', at - 1)
        while (at >= 0 && isEscaped(text, at))
        // The string began before the text did.
        if (at < 0) return undefined
        if (depth > deepest || end - at !== 6 || !text.startsWith("usage", at + 1)) break
        const colon = skipSpace(text, end + 1)
        const value = skipSpace(text, colon + 1)
        if (text[colon] !== ":" || text[value] !== "{") break
        return parseJson(text.slice(value, endOfValue(text, value))) as Usage | undefined
      }
    }
  }
  return undefined
}

/** The data of events, the last first. The first line counts too if it may have begun before the text. */
const dataIn = (text: string, isWhole: boolean): ReadonlyArray<string> =>
  eventsIn(isWhole ? text : `data:${text}`)
    .map(({ data }) => data)
    .toReversed()

const ofEvents = /^(data|event|id|retry)?:/

/** Anthropic tells of the prompt in the first event, and of the answer in one of the last. */
const isStart = (data: string): boolean => data.includes('"message_start"')

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0
const firstCount = (...values: ReadonlyArray<unknown>): number | undefined => values.find(isCount)

/**
 * A total counts as it is. Anthropic gives parts: what is read from the cache does not count toward the limits of most
 * models, what is written to it does ("Rate limits", cache-aware ITPM).
 */
const countOf = (usage: Usage | undefined, start: () => Usage | undefined): Count | undefined => {
  if (usage === undefined) return undefined
  const output = firstCount(usage.completion_tokens, usage.output_tokens)
  if (isCount(usage.total_tokens)) {
    return { total: usage.total_tokens, input: firstCount(usage.prompt_tokens, usage.input_tokens), output }
  }
  if (output === undefined) return undefined
  const ofPrompt = firstCount(usage.prompt_tokens, usage.input_tokens) === undefined ? start() : usage
  const input = firstCount(ofPrompt?.prompt_tokens, ofPrompt?.input_tokens)
  if (input === undefined) return undefined
  const written = input + (firstCount(ofPrompt?.cache_creation_input_tokens) ?? 0)
  const all = written + (firstCount(ofPrompt?.cache_read_input_tokens) ?? 0)
  return { total: written + output, input: all, output }
}

const none = () => undefined

const read = (ends: Ends): Count | undefined => {
  const head = ends.head()
  const first = head[skipSpace(head, 0)]
  if (first === "{") return countOf(lastUsage(ends.tail(), 1), none)
  if (!ofEvents.test(head)) return undefined
  // Beside the usage of the event itself that of `response`, `x_groq` or `message`: one deeper.
  const start = () => {
    const data = dataIn(head, true).findLast(isStart)
    return data === undefined ? undefined : lastUsage(data, 2)
  }
  for (const data of dataIn(ends.tail(), ends.isWhole)) {
    const count = isStart(data) ? undefined : countOf(lastUsage(data, 2), start)
    if (count !== undefined) return count
  }
  return undefined
}

/** Events of a stream that carry nothing: the first names a role, and the last why it ended. */
const WITHOUT_CONTENT = 2
/** OpenAI's rule of thumb: see `ask.ts`. */
const CHARACTERS_PER_TOKEN = 4

export const makeMeter = (): Meter => {
  const ends = new Ends()
  let bytes = 0
  let events = 0
  let count: Count | undefined
  let isRead = false
  const result = (): Count | undefined => {
    if (!isRead) {
      count = read(ends)
      isRead = true
    }
    return count
  }
  return {
    chunk: (chunk, dataLines) => {
      ends.add(chunk)
      bytes += chunk.length
      events = dataLines
      isRead = false
    },
    total: () => result()?.total,
    output: () => result()?.output,
    count: result,
    received: () => {
      const head = ends.head()
      if (head[skipSpace(head, 0)] === "{") return Math.ceil(bytes / CHARACTERS_PER_TOKEN)
      return ofEvents.test(head) ? Math.max(0, events - WITHOUT_CONTENT) : undefined
    }
  }
}

/** Enough for what providers send with and after the usage. */
const enough = 4096

/** Usage in a whole response that is no stream of events. */
export const ofWhole = (bytes: Uint8Array): Count | undefined => {
  const all = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return countOf(lastUsage(all.toString("latin1", Math.max(0, all.length - enough)), 1), none)
}

/** Usage in a stream of events, of which `text` is the end. */
export const ofTail = (text: string): Count | undefined => {
  // Most streams say nothing of it, and taking events apart costs more than all else that is done at their end.
  if (!text.includes('"usage"')) return undefined
  for (const data of dataIn(text, false)) {
    const count = countOf(lastUsage(data, 2), none)
    if (count !== undefined) return count
  }
  return undefined
}
