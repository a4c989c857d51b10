/** JSON from elsewhere, of any shape. */

/** Parses a text; `undefined` for invalid JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Parses a text; the text itself for invalid JSON. */
export const jsonOrText = (text: string): unknown => {
  const value = parseJson(text)
  return value === undefined ? text : value
}

/** Reads a property of anything; `undefined` for what has none. */
export const property = (of: unknown, name: string): unknown =>
  typeof of === "object" && of !== null ? (of as Record<string, unknown>)[name] : undefined
