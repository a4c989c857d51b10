/** The beginning and the end of a body that passes by, in bounded memory: they hold its metadata. */
import { Tail } from "./tailBuffer.ts"

/** Enough for the first event of a stream; most answers that are no stream are smaller. */
const headBytes = 2048
/** Enough for what providers send with and after the usage. */
const tailBytes = 4096

const empty = Buffer.alloc(0)

export class Ends {
  #head: Buffer = empty
  /** The bytes after the head. */
  readonly #tail = new Tail(tailBytes)

  add(bytes: Uint8Array): void {
    const room = headBytes - this.#head.length
    if (room > 0) {
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, room)])
      if (bytes.length <= room) return
      bytes = bytes.subarray(room)
    }
    this.#tail.add(bytes)
  }

  /** True if no byte has been dropped: then `tail` returns the whole body. */
  get isWhole(): boolean {
    return this.#tail.isWhole
  }

  /** One character a byte, whatever it encodes: JSON's own characters are ASCII. */
  head(): string {
    return this.#head.toString("latin1")
  }

  tail(): string {
    return this.isWhole ? this.head() + this.#tail.text() : this.#tail.text()
  }
}
