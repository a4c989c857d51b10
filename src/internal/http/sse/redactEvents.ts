/**
 * Secrets that a provider repeats in an event which tells an error, or which nobody can parse: SDKs make errors of both,
 * past all that looks at errors. What a model says stays as it is, be it the key.
 */
import type * as Redacted from "effect/Redacted"
import { type Block, blocksIn } from "./parser.ts"
import { asBuffer } from "./scanner.ts"
import { reportsError } from "../errorBody.ts"
import type { Clean } from "../redactErrorBody.ts"
import { parseJson } from "../../util/json.ts"
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

/** True for an event that SDKs make an error of: one that reports it, or that nobody can parse. */
const isError = ({ data, name }: Block): boolean => {
  if (name.startsWith("error")) return true
  const body = parseJson(data ?? "")
  return body === undefined || reportsError(body)
}

/** Redacts the secrets in whole events of a stream. */
export const cleanEvents = (secret: Redacted.Redacted, hidden: ReadonlyArray<string>): Clean => {
  const needles = needlesOf(secret, hidden)
  return (events) => {
    const bytes = asBuffer(events)
    if (!needles.some((needle) => bytes.includes(needle))) return events
    const text = bytes.toString()
    let clean = ""
    let at = 0
    for (const block of blocksIn(text)) {
      if (!isError(block)) continue
      clean += text.slice(at, block.start) + scrub(text.slice(block.start, block.end), secret, hidden)
      at = block.end
    }
    return Buffer.from(clean + text.slice(at))
  }
}
