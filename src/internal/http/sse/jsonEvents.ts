/**
 * Invalid JSON in the events of a stream. Some SDKs, as Cerebras's, print such events to the console, line breaks and
 * control characters included: these get to see none.
 */
import { type Block, blocksIn } from "./parser.ts"
import { parseJson } from "../../util/json.ts"

/** SDKs dispatch a block that has a name or data, be that empty. */
const isDispatched = ({ data, name }: Block): boolean => data !== undefined || name.trim() !== ""

const isReadable = (block: Block): boolean =>
  !isDispatched(block) || block.data?.startsWith("[DONE]") === true || parseJson(block.data ?? "") !== undefined

/** Offset of the first event that is invalid JSON among these, which are whole; `undefined` if there is none. */
export const firstUnreadable = (events: Uint8Array): number | undefined => {
  // One character a byte, which is all that it takes to validate JSON.
  const text = Buffer.from(events.buffer, events.byteOffset, events.byteLength).toString("latin1")
  return blocksIn(text).find((block) => !isReadable(block))?.start
}
