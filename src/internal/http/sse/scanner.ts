/**
 * Boundaries of server-sent events (HTML standard, "Parsing an event stream") in bytes that are cut anywhere. Each chunk of
 * each stream is scanned once, for all who need to know where its events end. Line ends are CR, LF, or both.
 */

const LF = 0x0a
const CR = 0x0d
const D = 0x64
const BRACKET_OPENS = 0x5b
/** Offset of the bracket in `data: [DONE]`. */
const BRACKET_OFFSET = 6

/** The end of the bytes if it is nowhere. */
const indexOf = (bytes: Buffer, byte: number, from: number): number => {
  const at = bytes.indexOf(byte, from)
  return at < 0 ? bytes.length : at
}

/** Chunks from a socket are Buffers already. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export class EventScanner {
  /** Lines of data so far, but for `[DONE]`: about one for each token generated. */
  dataLines = 0
  /** Those of events that are whole. */
  wholeDataLines = 0
  /** Bytes of the longest event so far, line ends left out. One that has come in part counts. */
  longest = 0
  /** Bytes of the event that has come in part, line ends left out. */
  #size = 0
  /** Nothing is on the line yet. */
  #isLineStart = true
  /** The last byte was CR: an LF after it belongs to the same line end. */
  #afterCr = false

  /** Returns the offset in `bytes` behind the last event that is whole, 0 for none. Empty lines between events count as whole. */
  scan(bytes: Buffer): number {
    const { length } = bytes
    let at = this.#afterCr && bytes[0] === LF ? 1 : 0
    let end = 0
    if (length > 0) this.#afterCr = false
    let lf = -1
    let cr = -1
    while (at < length) {
      const first = bytes[at]
      if (first === LF || first === CR) {
        const next = this.#next(bytes, at)
        if (this.#isLineStart) {
          this.#size = 0
          this.wholeDataLines = this.dataLines
          end = next
        } else this.#isLineStart = true
        at = next
        continue
      }
      if (this.#isLineStart && first === D && bytes[at + BRACKET_OFFSET] !== BRACKET_OPENS) this.dataLines++
      if (lf < at) lf = indexOf(bytes, LF, at)
      if (cr < at) cr = indexOf(bytes, CR, at)
      const stop = lf < cr ? lf : cr
      this.#size += stop - at
      if (this.#size > this.longest) this.longest = this.#size
      this.#isLineStart = false
      at = stop
    }
    return end
  }

  /** Offset behind the line end at `at`. */
  #next(bytes: Buffer, at: number): number {
    if (bytes[at] === LF) return at + 1
    if (at + 1 === bytes.length) this.#afterCr = true
    return bytes[at + 1] === LF ? at + 2 : at + 1
  }
}
