/**
 * The end of a body that passes by, in bounded memory. Bytes are copied, since a socket's buffer is shared among many
 * chunks, and kept chunks would hold all of it.
 */
export class Tail {
  readonly #most: number
  #bytes: Buffer | undefined
  #used = 0
  #seen = 0

  /** `most`: how many bytes are kept at least, if so many come; and twice as many at most. */
  constructor(most: number) {
    this.#most = most
  }

  add(bytes: Uint8Array): void {
    const most = this.#most
    const kept = (this.#bytes ??= Buffer.allocUnsafe(2 * most))
    const { length } = bytes
    this.#seen += length
    if (length >= most) {
      kept.set(bytes.subarray(-most))
      this.#used = most
      return
    }
    if (this.#used + length > kept.length) {
      kept.copyWithin(0, this.#used - most, this.#used)
      this.#used = most
    }
    kept.set(bytes, this.#used)
    this.#used += length
  }

  /** True if no byte has been dropped. */
  get isWhole(): boolean {
    return this.#seen === this.#used
  }

  /** One character a byte, whatever it encodes. */
  text(): string {
    return this.#bytes?.toString("latin1", 0, this.#used) ?? ""
  }
}
