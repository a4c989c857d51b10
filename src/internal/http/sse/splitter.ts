/** Chunks of an event stream as whole events: SDKs have no use for a part of one, and only all of it tells what it is. */

const none = Buffer.alloc(0)

const byteOrderMark = Buffer.from("\ufeff")

export class WholeEvents {
  /** An event that has come in part is in `#held`, up to `#used`. */
  #held = none
  #used = 0
  #isStart = true

  /**
   * Returns the events that are whole with `chunk`, if any are, without the stream's byte order mark. `end` is what
   * `EventScanner.scan` returned for it.
   */
  chunk(chunk: Buffer, end: number): Buffer | undefined {
    const whole = this.#chunk(chunk, end)
    return this.#isStart && whole !== undefined ? this.#begin(whole) : whole
  }

  /** Returns the bytes of an event that has come in part. */
  rest(): Buffer | undefined {
    if (this.#used === 0) return undefined
    const rest = this.#all()
    return this.#isStart ? this.#begin(rest) : rest
  }

  #begin(bytes: Buffer): Buffer {
    this.#isStart = false
    const { length } = byteOrderMark
    return bytes.subarray(0, length).equals(byteOrderMark) ? bytes.subarray(length) : bytes
  }

  #chunk(chunk: Buffer, end: number): Buffer | undefined {
    if (end === 0) {
      this.#hold(chunk)
      return undefined
    }
    if (this.#used === 0 && end === chunk.length) return chunk
    let whole = chunk.subarray(0, end)
    if (this.#used > 0) {
      this.#hold(whole)
      whole = this.#all()
    }
    if (end < chunk.length) this.#hold(chunk.subarray(end))
    return whole
  }

  #all(): Buffer {
    const all = this.#held.subarray(0, this.#used)
    this.#used = 0
    this.#held = none
    return all
  }

  /** Copies: a chunk may be a small part of the memory that it keeps. Grows by doubling: chunks may be single bytes. */
  #hold(bytes: Buffer): void {
    const used = this.#used + bytes.length
    if (used > this.#held.length) {
      const more = Buffer.allocUnsafe(2 * used)
      this.#held.copy(more, 0, 0, this.#used)
      this.#held = more
    }
    bytes.copy(this.#held, this.#used)
    this.#used = used
  }
}
