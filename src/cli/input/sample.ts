/** Draws rows at random: every set of `size` rows is as likely as another, and one seed always draws the same. */
import { random } from "../../internal/util/seededRandom.ts"
import type { RowChunks, RowItem } from "./rows.ts"

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
