/** Lines of an append-only file: all of them in order, or those at given positions. */
import type { FileHandle } from "node:fs/promises"

const NEWLINE = 0x0a
const BLOCK_BYTES = 1 << 20
/** Read at once around one record. */
const WINDOW_BYTES = 16 * 1024
/** Records in the order of the file are read this much at once. */
const SEQUENTIAL_WINDOW_BYTES = 256 * 1024

/**
 * Visits each line that has an end, from `position` on: its bytes, valid during the call, and the position of its first.
 * Returns the position behind the last one; what follows that is torn.
 */
export const eachLine = async (
  file: FileHandle,
  position: number,
  visit: (bytes: Buffer, start: number, end: number, position: number) => void
): Promise<number> => {
  let block = Buffer.allocUnsafe(BLOCK_BYTES)
  /** Bytes of `block` that belong to a line whose end has not been read. */
  let kept = 0
  let offset = position
  for (;;) {
    // A line longer than the block.
    if (kept === block.length) block = Buffer.concat([block], block.length * 2)
    const { bytesRead } = await file.read(block, kept, block.length - kept, offset + kept)
    if (bytesRead === 0) return offset
    const length = kept + bytesRead
    let start = 0
    for (let end = block.indexOf(NEWLINE, kept); end >= 0 && end < length; end = block.indexOf(NEWLINE, start)) {
      visit(block, start, end, offset + start)
      start = end + 1
    }
    block.copyWithin(0, start, length)
    kept = length - start
    offset += start
  }
}

/** Reads lines by position, and keeps the last block that it read. */
export class LineReader {
  readonly #file: FileHandle
  #window = Buffer.allocUnsafe(WINDOW_BYTES)
  #start = 0
  #length = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  async lineAt(position: number): Promise<string | undefined> {
    const known = this.#known(position)
    if (known !== undefined) return known
    const ahead = position - (this.#start + this.#length)
    const isNext = this.#length > 0 && ahead > -this.#length && ahead < SEQUENTIAL_WINDOW_BYTES
    let bytes = isNext ? SEQUENTIAL_WINDOW_BYTES : WINDOW_BYTES
    for (;;) {
      if (this.#window.length < bytes) this.#window = Buffer.allocUnsafe(bytes)
      const { bytesRead } = await this.#file.read(this.#window, 0, bytes, position)
      this.#start = position
      this.#length = bytesRead
      const line = this.#known(position)
      if (line !== undefined || bytesRead < bytes) return line
      bytes *= 2
    }
  }

  #known(position: number): string | undefined {
    const from = position - this.#start
    if (from < 0 || from >= this.#length) return undefined
    const end = this.#window.indexOf(NEWLINE, from)
    return end < 0 || end >= this.#length ? undefined : this.#window.toString("utf8", from, end)
  }
}
