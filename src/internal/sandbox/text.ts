/** Text without a model: words that follow from what was asked, and from nothing else. */
import type { Random } from "../util/seededRandom.ts"

const WORDS =
  "amber arch atlas bell birch brook cedar chalk cliff cloud copper coral crane delta dew dune ember fern field flint fox frost glade grain harbor hazel heron hill iris ivory jade kelp lake lark leaf lime loam lotus maple marsh mint mist moss north oak onyx opal otter pearl pine plum quartz rain reed ridge river sage salt slate snow stone tide wren".split(
    " "
  )

/** FNV-1a, 32 bits. */
export const hash = (text: string, seed = 0x811c9dc5): number => {
  let h = seed
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

export const word = (next: Random): string => WORDS[Math.floor(next() * WORDS.length)] ?? "word"

/** `count` tokens of prose, a word each. */
export const prose = (next: Random, count: number): Array<string> => {
  const tokens: Array<string> = []
  for (let i = 0; i < count; i++) tokens.push(i === 0 ? word(next) : ` ${word(next)}`)
  return tokens
}

/** Text that is no prose, as the tokens that it is counted and streamed in. */
export const pieces = (text: string): Array<string> => {
  const tokens: Array<string> = []
  for (let i = 0; i < text.length; i += 4) tokens.push(text.slice(i, i + 4))
  return tokens
}

/** Tokens of a prompt of so many characters. */
export const promptTokens = (characters: number): number => Math.max(1, Math.ceil(characters / 4))
