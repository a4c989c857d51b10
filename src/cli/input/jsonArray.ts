/** Reads a JSON array, one element a row, without holding more than one of them. */
import { CommandError, EXIT, ioReason } from "../exit.ts"
import { JSONParser } from "../vendor/json.ts"
import { asRow, type RowChunks, type RowItem } from "./rows.ts"

/** `name` is that of the source, for errors. */
export async function* jsonArray(name: string, chunks: AsyncIterable<Buffer>): RowChunks {
  let items: Array<RowItem> = []
  let count = 0
  const parser = new JSONParser({ paths: ["$.*"], keepStack: false })
  parser.onValue = ({ parent, value }) => {
    if (!Array.isArray(parent)) throw new Error("it is no array")
    count++
    items.push(asRow(value, count, `element ${count}`, JSON.stringify(value) ?? ""))
  }
  const failed = (error: unknown): never => {
    throw new CommandError(`${name} is no valid JSON array after element ${count}: ${ioReason(error)}`, EXIT.io)
  }
  const taken = () => {
    const read = items
    items = []
    return read
  }
  for await (const chunk of chunks) {
    let failure: unknown
    try {
      parser.write(chunk)
    } catch (error) {
      failure = error
    }
    // Elements before the failure are rows.
    if (items.length > 0) yield taken()
    if (failure !== undefined) failed(failure)
  }
  if (!parser.isEnded) failed(new Error("it has no end; is the file cut off?"))
}
