/** multipart/form-data as it arrives: no part is ever held in memory. */

export interface PartHeader {
  readonly name: string
  readonly filename: string | undefined
}

/** Takes a part's bytes, and `undefined` at its end. */
export type PartSink = (bytes: Uint8Array | undefined) => void

type State = "preamble" | "header" | "body" | "end"

const MAX_HEADER_BYTES = 16 * 1024
const BLANK_LINE = Buffer.from("\r\n\r\n")

export const boundaryOf = (contentType: string | undefined): string | undefined => {
  const match = /^multipart\/form-data;.*?boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? "")
  return match?.[1] ?? match?.[2]
}

export class Multipart {
  readonly #delimiter: Buffer
  readonly #onPart: (header: PartHeader) => PartSink
  #state: State = "preamble"
  /** The first boundary has no line before it; this gives it one. */
  #rest: Buffer = Buffer.from("\r\n")
  #sink: PartSink | undefined

  constructor(boundary: string, onPart: (header: PartHeader) => PartSink) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
    this.#onPart = onPart
  }

  /** True once the closing boundary has been read. */
  get ended(): boolean {
    return this.#state === "end"
  }

  write(chunk: Uint8Array): void {
    if (this.#state === "end") return
    let bytes: Buffer = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const next = this.#state === "header" ? this.#header(bytes) : this.#body(bytes)
      if (next === undefined) return
      bytes = next
    }
  }

  /** Bytes left after a step, undefined if more are needed. */
  #header(bytes: Buffer): Buffer | undefined {
    // Behind a boundary comes "--" for the end, or a line end and headers.
    if (bytes.length >= 2 && bytes.subarray(0, 2).equals(Buffer.from("--"))) {
      this.#state = "end"
      return undefined
    }
    const end = bytes.indexOf(BLANK_LINE)
    if (end < 0) {
      if (bytes.length > MAX_HEADER_BYTES) throw new Error("the headers of a part are too long")
      this.#rest = bytes
      return undefined
    }
    this.#sink = this.#onPart(partHeader(bytes.subarray(0, end).toString()))
    this.#state = "body"
    this.#rest = Buffer.alloc(0)
    return bytes.subarray(end + BLANK_LINE.length)
  }

  #body(bytes: Buffer): Buffer | undefined {
    const at = bytes.indexOf(this.#delimiter)
    if (at >= 0) {
      if (at > 0) this.#sink?.(bytes.subarray(0, at))
      this.#sink?.(undefined)
      this.#sink = undefined
      this.#state = "header"
      return bytes.subarray(at + this.#delimiter.length)
    }
    // A delimiter may have begun in the last bytes.
    const safe = Math.max(0, bytes.length - this.#delimiter.length + 1)
    if (safe > 0) this.#sink?.(bytes.subarray(0, safe))
    this.#rest = bytes.subarray(safe)
    return undefined
  }
}

const partHeader = (text: string): PartHeader => {
  const line = text.split("\r\n").find((one) => /^content-disposition:/i.test(one)) ?? ""
  const value = (name: string) => new RegExp(`[;\\s]${name}="([^"]*)"`, "i").exec(line)?.[1]
  return { name: unescape(value("name") ?? ""), filename: maybe(value("filename")) }
}

const maybe = (text: string | undefined): string | undefined => (text === undefined ? undefined : unescape(text))

/** The three characters that browsers and undici escape. */
const unescape = (text: string): string => text.replaceAll("%22", '"').replaceAll("%0D", "\r").replaceAll("%0A", "\n")
