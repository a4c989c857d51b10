/** Failures that a provider tells under a status of success: in the place of an answer, or as an event of its stream. */
import { oneLine } from "../redaction/escapeControl.ts"
import { codeIn, messageIn } from "./errorBody.ts"
import { WireError } from "../wire/errors.ts"

/** Takes secrets out of an event. */
export type Clean = (event: Uint8Array) => Uint8Array

/** `undefined` also for what is no JSON. */
export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const prefix = "event: error\ndata: "
const suffix = "\n\n"

/** Error for a failure reported in `data`, which has no line breaks. `clean` takes secrets out of it. */
export const toldFailure = (data: string, clean: Clean): WireError => {
  const event = clean(Buffer.from(prefix + data + suffix))
  const text = Buffer.from(event).toString().slice(prefix.length, -suffix.length)
  const said = parsed(text)
  const reason = codeIn(said) === "insufficient_quota" ? "QuotaExceeded" : "Server"
  return new WireError(reason, "yes", oneLine(messageIn(said) ?? text))
}
