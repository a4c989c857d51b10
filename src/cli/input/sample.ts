/** Draws rows at random: every set of `size` rows is as likely as another, and one seed always draws the same. */
import type { RowChunks, RowItem } from "./rows.ts"

/** Numbers from 0 up to 1 by SplitMix32, which are the same for a seed on any version of Effect. */
const random = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

interface DrawnRow {
  readonly index: number
  readonly item: RowItem
}

/** By Vitter's algorithm R, in one pass that holds `size` rows; in the order of the source. */
export async function* sampleRows(rows: RowChunks, size: number, seed: number): RowChunks {
  const next = random(seed)
  const drawn: Array<DrawnRow> = []
  let index = 0
  for await (const items of rows) {
    for (const item of items) {
      const place = index < size ? index : Math.floor(next() * (index + 1))
      if (place < size) drawn[place] = { index, item }
      index++
    }
  }
  const sorted = drawn.toSorted((a, b) => a.index - b.index).map(({ item }) => item)
  if (sorted.length > 0) yield sorted
}
