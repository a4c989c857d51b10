/**
 * Text from elsewhere as it may stand in a line of a log: with control characters, what ends lines, and what turns the
 * direction of writing spelt out. Otherwise a provider, or whoever has its words, could write lines of its own there, or
 * move the cursor of the terminal that shows them.
 */

// oxlint-disable-next-line no-control-regex
const odd = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const spell = (character: string): string =>
  short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

export const oneLine = (text: string): string => text.replace(odd, spell)
