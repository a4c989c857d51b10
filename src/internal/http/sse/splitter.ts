/** Chunks of an event stream as whole events: SDKs have no use for a part of one, and only all of it tells what it is. */

const LF = 10

/** Ends of an event: each is an empty line. */
const endings = ["\n\n", "\n\r\n", "\r\r"].map((text) => Buffer.from(text))

/** Offset of the end of the last whole event, 0 for none. */
const endOfEvents = (bytes: Buffer): number => {
  const { length } = bytes
  // Nearly every chunk is whole events.
  if (bytes[length - 1] === LF && bytes[length - 2] === LF) return length
  let end = 0
  for (const ending of endings) {
    const at = bytes.lastIndexOf(ending)
    if (at >= 0) end = Math.max(end, at + ending.length)
  }
  return end
}

/** Most bytes at the end that the next chunk may complete to an empty line. */
const overlap = 2

export class WholeEvents {
  /** An event that has come in part is in `#held`, up to `#used`. */
  #held = Buffer.alloc(0)
  #used = 0

  /** Bytes of an event that has come in part. */
  get held(): number {
    return this.#used
  }

  /** The events that are whole now that `chunk` has come, if any are. */
  chunk(chunk: Uint8Array): Buffer | undefined {
    // Chunks from a socket are Buffers already.
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (this.#used === 0) {
      const end = endOfEvents(bytes)
      if (end === bytes.length) return bytes
      this.#hold(bytes.subarray(end))
      return end === 0 ? undefined : bytes.subarray(0, end)
    }
    const from = Math.max(0, this.#used - overlap)
    this.#hold(bytes)
    const end = endOfEvents(this.#held.subarray(from, this.#used))
    if (end === 0) return undefined
    const all = this.#all()
    if (from + end < all.length) this.#hold(all.subarray(from + end))
    return all.subarray(0, from + end)
  }

  /** The bytes of an event that has come in part. */
  rest(): Buffer | undefined {
    return this.#used === 0 ? undefined : this.#all()
  }

  #all(): Buffer {
    const all = this.#held.subarray(0, this.#used)
    this.#used = 0
    this.#held = Buffer.alloc(0)
    return all
  }

  /** A copy, for a chunk may be a small part of what it keeps in memory. It grows by doubling: chunks may be bytes. */
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
