/**
 * Foreign text made fit for a line of a log: control characters, line ends, and characters that turn the direction of
 * writing are escaped. Otherwise a provider, or the author of its text, could write lines of its own there, or move the
 * cursor of the terminal that shows them.
 */

// oxlint-disable-next-line no-control-regex
const odd = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const spell = (character: string): string =>
  short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

export const oneLine = (text: string): string => text.replace(odd, spell)
