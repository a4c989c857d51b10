/**
 * The text of an HTML page, as proxies and load balancers send for an error. It may be a megabyte, and hostile: only
 * its beginning is read, and no expression here looks at a character more than a few times.
 */
import { oneLine } from "../redaction/escapeControl.ts"

/** In characters. Titles stand at the top. */
const mostRead = 64 * 1024
const mostTold = 200

/** Comments, and elements with invisible content. An unclosed one reaches to the end. */
const unseen = /<!--[\s\S]*?(?:-->|$)|<(script|style|svg)\b[\s\S]*?(?:<\/\1[^<>]*>|$)/gi
const title = /<title\b[^<>]*>([^<]*)/i
const heading = /<(h[1-6])\b[^<>]*>([\s\S]*?)(?:<\/\1|$)/gi
const tag = /<[a-z/!?][^<>]*>?/gi

const beginning = /^\s*<(?:!--|(?:!doctype html|html|head|title|body|center|div|h[1-6]|p)\b)/i

export const isPage = (type: string | null, text: string): boolean =>
  beginning.test(text) || (/html/i.test(type ?? "") && /<[a-z!]/i.test(text))

const names: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " }

const characterOf = (reference: string, decimal?: string, hex?: string, name?: string): string => {
  if (name !== undefined) return names[name.toLowerCase()] ?? reference
  const point = decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal)
  return point <= 0x10ffff ? String.fromCodePoint(point) : reference
}

const plain = (html: string): string =>
  html
    .replace(tag, " ")
    .replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{1,6}));/gi, characterOf)
    .replace(/\s+/g, " ")
    .trim()

function* texts(page: string): Iterable<string> {
  yield title.exec(page)?.[1] ?? ""
  for (const [, , text = ""] of page.matchAll(heading)) yield text
  yield page
}

/**
 * A page in one line without tags: its title, else its first heading, else the beginning of its text. `clean` takes
 * secrets out, also those that tags and character references hide from it in the page.
 */
export const wordsOf = (page: string, clean: (text: string) => string): string => {
  for (const text of texts(page.slice(0, mostRead).replace(unseen, " "))) {
    const words = Array.from(oneLine(clean(plain(text))))
    if (words.length > 0) return words.length > mostTold ? `${words.slice(0, mostTold - 1).join("")}…` : words.join("")
  }
  return "an HTML page without text"
}
