/** Bounds on bodies that are streamed, taken as the chunks pass: what is longer is nothing that a reader should hold. */
import { WireError } from "../wire/errors.ts"

export const tooLong = (bytes: number): WireError =>
  new WireError("Malformed", "yes", `the response's body is longer than transport.maxResponseBytes (${bytes}) allows`)

/** Limits the size of a whole body. Throws a WireError at the chunk that is too much. */
export class WholeMeasure {
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

export const eventTooLong = (bytes: number): WireError =>
  new WireError(
    "Malformed",
    "yes",
    `an event in the response's stream is longer than transport.maxLineBytes (${bytes}) allows`
  )
