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
    all = spellingsOf(secret, hidden).map((spelt) => Buffer.from(spelt, "latin1"))
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

/** A chunk of an event stream without them. Events that chunks cut in two stay as they are: nobody knows what they are. */
export const cleanEvents = (
  chunk: Uint8Array,
  secret: Redacted.Redacted,
  hidden: ReadonlyArray<string>
): Uint8Array => {
  // What comes off a socket is one already.
  const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (!needlesOf(secret, hidden).some((needle) => bytes.includes(needle))) return chunk
  // Each byte a character: a chunk may begin or end within one of more.
  const parts = bytes.toString("latin1").split(apart)
  const clean = parts.map((part, i) => {
    const isWhole = i + 1 < parts.length && /^(data|event|id|retry)?:/.test(part)
    return isWhole && tellsError(part) ? scrub(part, secret, hidden) : part
  })
  return Buffer.from(clean.join(""), "latin1")
}
