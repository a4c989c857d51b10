/** Failures that a provider tells under a status of success: in the place of an answer, or as an event of its stream. */
import { oneLine } from "../redaction/escapeControl.ts"
import { codeIn, messageIn } from "./errorBody.ts"
import { parseJson } from "../util/json.ts"
import { WireError } from "../wire/errors.ts"

/** Redacts the secrets in whole events. */
export type Clean = (events: Uint8Array) => Uint8Array

const prefix = "event: error\ndata: "
const suffix = "\n\n"

/** Error for a failure reported in `data`, which has no line breaks. `clean` takes secrets out of it. */
export const toldFailure = (data: string, clean: Clean): WireError => {
  const event = clean(Buffer.from(prefix + data + suffix))
  const text = Buffer.from(event).toString().slice(prefix.length, -suffix.length)
  const said = parseJson(text)
  const reason = codeIn(said) === "insufficient_quota" ? "QuotaExceeded" : "Server"
  return new WireError(reason, "yes", oneLine(messageIn(said) ?? text))
}
