/** Sources of text in chunks of any size. */
import { MalformedRow, type Row, type RowChunks } from "../../../src/cli/input/rows.ts"

/** The bytes in chunks of `size`. */
export async function* inChunks(bytes: Buffer | string, size = 7): AsyncGenerator<Buffer> {
  const all = Buffer.from(bytes)
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size)
}

/** Rows, and the messages of malformed ones. */
export const collect = async (rows: RowChunks): Promise<ReadonlyArray<Row | string>> => {
  const found: Array<Row | string> = []
  for await (const items of rows)
    for (const item of items) found.push(item instanceof MalformedRow ? item.message : item)
  return found
}

export const joined = async (chunks: AsyncIterable<Buffer>): Promise<string> => {
  const parts: Array<Buffer> = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts).toString("utf8")
}
