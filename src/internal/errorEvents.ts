/**
 * Secrets that a provider repeats in an event which tells an error, or which nobody can parse: SDKs make errors of both,
 * past all that looks at errors. What a model says stays as it is, be it the key.
 */
import type * as Redacted from "effect/Redacted"
import { scrub, spellingsOf } from "./secrets.ts"

type Needles = ReadonlyArray<Buffer>

/** Of headers' values and a key, as bytes. Kept with both, since each chunk of each stream asks. */
const known = new WeakMap<ReadonlyArray<string>, WeakMap<Redacted.Redacted, Needles>>()

const needlesOf = (secret: Redacted.Redacted, hidden: ReadonlyArray<string>): Needles => {
  let beside = known.get(hidden)
  if (beside === undefined) known.set(hidden, (beside = new WeakMap()))
  let all = beside.get(secret)
  if (all === undefined) {
    all = spellingsOf(secret, hidden).map((spelt) => Buffer.from(spelt))
    beside.set(secret, all)
  }
  return all
}

/** Events, and what parts them, in turn. */
const apart = /((?:\r\n|\n|\r){2,})/

const tellsError = (event: string): boolean => {
  if (/^event: ?error/m.test(event)) return true
  const data = event
    .split(/[\r\n]+/)
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []))
    .join("\n")
  try {
    const body = JSON.parse(data) as { readonly error?: unknown; readonly type?: unknown } | null
    return body?.error != null || body?.type === "error"
  } catch {
    return true
  }
}

/** How an event ends: with an empty line. */
const endings = ["\n\n", "\n\r\n", "\r\r"].map((text) => Buffer.from(text))

const LF = 10

/** Where the last whole event ends, 0 for none. */
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

/** What the next chunk may complete to an empty line. */
const overlap = 2

/**
 * Gives the events of a stream on without secrets, each when all of it has come: before that nobody knows what it is, nor
 * has a reader any use for it.
 */
export class CleanEvents {
  readonly #secret: Redacted.Redacted
  readonly #hidden: ReadonlyArray<string>
  readonly #needles: Needles
  /** An event that has come in part is in `#held`, up to `#used`. */
  #held = Buffer.alloc(0)
  #used = 0

  constructor(secret: Redacted.Redacted, hidden: ReadonlyArray<string>) {
    this.#secret = secret
    this.#hidden = hidden
    this.#needles = needlesOf(secret, hidden)
  }

  /** What may be given on now that `chunk` has come, if anything. */
  chunk(chunk: Uint8Array): Uint8Array | undefined {
    // What comes off a socket is one already.
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (this.#used === 0) {
      const end = endOfEvents(bytes)
      if (end === bytes.length) return this.#clean(bytes)
      this.#hold(bytes.subarray(end))
      return end === 0 ? undefined : this.#clean(bytes.subarray(0, end))
    }
    const from = Math.max(0, this.#used - overlap)
    this.#hold(bytes)
    const end = endOfEvents(this.#held.subarray(from, this.#used))
    if (end === 0) return undefined
    const held = this.#held.subarray(0, this.#used)
    this.#used = 0
    this.#held = Buffer.alloc(0)
    if (from + end < held.length) this.#hold(held.subarray(from + end))
    return this.#clean(held.subarray(0, from + end))
  }

  /** What is left at the end of the stream: a reader may take it for an event. */
  rest(): Uint8Array | undefined {
    return this.#used === 0 ? undefined : this.#clean(this.#held.subarray(0, this.#used))
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

  #clean(bytes: Buffer): Uint8Array {
    if (!this.#needles.some((needle) => bytes.includes(needle))) return bytes
    const parts = bytes.toString().split(apart)
    const clean = parts.map((part) => (tellsError(part) ? scrub(part, this.#secret, this.#hidden) : part))
    return Buffer.from(clean.join(""))
  }
}
