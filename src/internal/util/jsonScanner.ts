/**
 * Finds the entries of a JSON object without building them: what a request asks for stands in a few fields beside
 * prompts of any length. Strings are hopped over with `indexOf`, so that the cost goes with the structure of a text and
 * hardly with its length. Positions are -1 where the text is no JSON; nothing here throws or recurses.
 */
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COMMA = 0x2c
const COLON = 0x3a

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** The position of the first character at or after `at` that is no white space. */
export const skipSpace = (text: string, at: number): number => {
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

/** True if the quote at `at` belongs to a string: an odd number of backslashes before it makes it a part of one. */
export const isEscaped = (text: string, at: number): boolean => {
  let first = at
  while (text.charCodeAt(first - 1) === BACKSLASH) first--
  return ((at - first) & 1) === 1
}

/** Past the string whose opening quote is at `at`. */
const endOfString = (text: string, at: number): number => {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    if (!isEscaped(text, end)) return end + 1
  }
  return -1
}

/** Receives the position of a string in a text: between its quotes. */
export type OnString = (start: number, end: number) => void

/** Position past the value that begins at `at`. `onString` is called for each string in it. */
export const endOfValue = (text: string, at: number, onString?: OnString): number => {
  let depth = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      if (end < 0) return -1
      onString?.(at + 1, end - 1)
      at = end
      if (depth === 0) return at
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth++
      at++
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      // The end of a number or a word is that of what it stands in.
      if (depth === 0) return at
      at++
      if (--depth === 0) return at
    } else if (depth === 0 && (code === COMMA || isSpace(code))) {
      return at
    } else {
      at++
    }
  }
  return -1
}

/** A string as it reads, whose opening quote is at `at`; `undefined` if there is none, or one longer than `most` there. */
export const stringAt = (text: string, at: number, most: number): string | undefined => {
  if (text.charCodeAt(at) !== QUOTE) return undefined
  const end = endOfString(text, at)
  if (end < 0 || end - at - 2 > most) return undefined
  const raw = text.slice(at + 1, end - 1)
  if (!raw.includes("\\")) return raw
  try {
    const read: unknown = JSON.parse(text.slice(at, end))
    return typeof read === "string" ? read : undefined
  } catch {
    return undefined
  }
}

/** The number that begins at `at`. */
export const numberAt = (text: string, at: number): number | undefined => {
  const code = text.charCodeAt(at)
  if (code !== 0x2d && !(code >= 0x30 && code <= 0x39)) return undefined
  const value = Number(text.slice(at, endOfValue(text, at)))
  return Number.isNaN(value) ? undefined : value
}

/** Longer than any key that is looked for. */
const longestKey = 100

/**
 * Calls `visit` for each entry of the object that `text` is, with its key and the position of its value. Ends when
 * `visit` returns true, or where the text is not JSON. `onString` is called for each string in the values passed over.
 */
export const entries = (text: string, visit: (key: string, at: number) => boolean, onString?: OnString): void => {
  let at = skipSpace(text, 0)
  if (text.charCodeAt(at) !== OPEN_BRACE) return
  for (;;) {
    at = skipSpace(text, at + 1)
    if (text.charCodeAt(at) !== QUOTE) return
    const end = endOfString(text, at)
    if (end < 0) return
    const key = stringAt(text, at, longestKey)
    at = skipSpace(text, end)
    if (text.charCodeAt(at) !== COLON) return
    at = skipSpace(text, at + 1)
    if (key !== undefined && visit(key, at)) return
    const next = endOfValue(text, at, onString)
    // No value at all is no JSON either.
    if (next <= at) return
    at = skipSpace(text, next)
    if (text.charCodeAt(at) !== COMMA) return
  }
}
