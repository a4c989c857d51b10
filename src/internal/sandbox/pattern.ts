/** Text that a regular expression of a JSON schema matches. */
import * as FastCheck from "effect/FastCheck"
import type { Random } from "../util/seededRandom.ts"

const MAX_DRAWS = 30

/**
 * Draws a text that `pattern` matches and `fits` accepts. `undefined` for an invalid expression, one with lookarounds,
 * back references or Unicode properties, and where no draw fits.
 */
export const fromPattern = (pattern: string, next: Random, fits: (text: string) => boolean): string | undefined => {
  try {
    const texts = FastCheck.stringMatching(new RegExp(pattern, "u"), { size: "xsmall" })
    for (let i = 0; i < MAX_DRAWS; i++) {
      const [text] = FastCheck.sample(texts, { seed: Math.floor(next() * 2 ** 31), numRuns: 1 })
      if (text !== undefined && fits(text)) return text
    }
  } catch {
    // The caller has another text.
  }
  return undefined
}
