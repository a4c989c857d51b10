/** Bounds on bodies that are streamed, taken as the chunks pass: what is longer is nothing that a reader should hold. */
import { WireError } from "../wire/errors.ts"

/** Throws a WireError at the chunk that is too much. */
export interface Measure {
  readonly chunk: (bytes: Uint8Array) => void
}

export const tooLong = (bytes: number): WireError =>
  new WireError("Malformed", "yes", `the response's body is longer than transport.maxResponseBytes (${bytes}) allows`)

/** Limits the size of a whole body. */
export class WholeMeasure implements Measure {
  readonly #most: number
  #size = 0

  constructor(most: number) {
    this.#most = most
  }

  chunk(bytes: Uint8Array): void {
    this.#size += bytes.byteLength
    if (this.#size > this.#most) throw tooLong(this.#most)
  }
}

const LF = 10
const CR = 13

/**
 * Limits the size of each event of a stream, from its first line to the empty one that ends it: a reader keeps all of
 * that, however short its lines are. Lines end as the HTML standard says: LF, CR, or both.
 */
export class EventMeasure implements Measure {
  readonly #most: number
  /** Bytes of the event so far. */
  #size = 0
  /** Nothing is on the line yet. */
  #isEmpty = true
  /** The last byte was CR: an LF after it belongs to it. */
  #afterCr = false

  constructor(most: number) {
    this.#most = most
  }

  chunk(bytes: Uint8Array): void {
    const { length } = bytes
    // Nearly every chunk is whole events, and far below the bound.
    if (bytes[length - 1] === LF && bytes[length - 2] === LF && this.#size + length <= this.#most) {
      this.#size = 0
      this.#isEmpty = true
      this.#afterCr = false
      return
    }
    for (let i = 0; i < length; i++) {
      const byte = bytes[i]
      const afterCr = this.#afterCr
      this.#afterCr = byte === CR
      if (byte === LF && afterCr) continue
      if (byte !== LF && byte !== CR) {
        this.#isEmpty = false
        if (++this.#size > this.#most) throw this.#tooLong()
      } else if (this.#isEmpty) this.#size = 0
      else this.#isEmpty = true
    }
  }

  #tooLong(): WireError {
    return new WireError(
      "Malformed",
      "yes",
      `an event in the response's stream is longer than transport.maxLineBytes (${this.#most}) allows`
    )
  }
}
