/**
 * Secrets that a provider repeats in an event which tells an error, or which nobody can parse: SDKs make errors of both,
 * past all that looks at errors. What a model says stays as it is, be it the key.
 */
import type * as Redacted from "effect/Redacted"
import { WholeEvents } from "./splitter.ts"
import { scrub, spellingsOf } from "../../redaction/redact.ts"

type Needles = ReadonlyArray<Buffer>

/** Spellings of headers' values and a key, as bytes. Kept with both, since each chunk of each stream needs them. */
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

/**
 * Gives the events of a stream on without secrets, each when all of it has come: before that nobody knows what it is.
 */
export class CleanEvents {
  readonly #secret: Redacted.Redacted
  readonly #hidden: ReadonlyArray<string>
  readonly #needles: Needles
  readonly #events = new WholeEvents()

  constructor(secret: Redacted.Redacted, hidden: ReadonlyArray<string>) {
    this.#secret = secret
    this.#hidden = hidden
    this.#needles = needlesOf(secret, hidden)
  }

  /** Returns the events that are whole now that `chunk` has come, without secrets; `undefined` if none are. */
  chunk(chunk: Uint8Array): Uint8Array | undefined {
    return this.#clean(this.#events.chunk(chunk))
  }

  /** Returns the rest at the end of the stream, without secrets: a reader may take it for an event. */
  rest(): Uint8Array | undefined {
    return this.#clean(this.#events.rest())
  }

  #clean(bytes: Buffer | undefined): Uint8Array | undefined {
    if (bytes === undefined || !this.#needles.some((needle) => bytes.includes(needle))) return bytes
    const parts = bytes.toString().split(apart)
    const clean = parts.map((part) => (tellsError(part) ? scrub(part, this.#secret, this.#hidden) : part))
    return Buffer.from(clean.join(""))
  }
}
