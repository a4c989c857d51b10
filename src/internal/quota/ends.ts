/**
 * The beginning and the end of a body that passes by, in bounded memory: what an answer says of itself stands there.
 * Bytes are copied, since a socket's buffer is shared among many chunks, and kept characters would hold all of it.
 */

/** Enough for the first event of a stream; most answers that are no stream are smaller. */
const headBytes = 2048
/** Enough for what providers send with and after the usage. */
const tailBytes = 4096

const empty = Buffer.alloc(0)

export class Ends {
  #head: Buffer = empty
  /** The latest bytes after the head: the last `tailBytes` of them at least. */
  #tail: Buffer = empty
  #used = 0
  #seen = 0

  add(bytes: Uint8Array): void {
    const room = headBytes - this.#head.length
    if (room > 0) {
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, room)])
      if (bytes.length <= room) return
      bytes = bytes.subarray(room)
    }
    if (this.#tail.length === 0) this.#tail = Buffer.allocUnsafe(2 * tailBytes)
    this.#seen += bytes.length
    if (bytes.length >= tailBytes) {
      this.#tail.set(bytes.subarray(-tailBytes))
      this.#used = tailBytes
      return
    }
    if (this.#used + bytes.length > this.#tail.length) {
      this.#tail.copyWithin(0, this.#used - tailBytes, this.#used)
      this.#used = tailBytes
    }
    this.#tail.set(bytes, this.#used)
    this.#used += bytes.length
  }

  /** Whether all that came is still here: then `tail` is the whole of it. */
  get isWhole(): boolean {
    return this.#seen === this.#used
  }

  /** One character a byte, whatever it encodes: JSON's own characters are ASCII. */
  head(): string {
    return this.#head.toString("latin1")
  }

  tail(): string {
    const tail = this.#tail.toString("latin1", 0, this.#used)
    return this.isWhole ? this.head() + tail : tail
  }
}
