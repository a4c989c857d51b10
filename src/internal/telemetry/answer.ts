/** Reads what spans tell of a model's answer: who answered, and why it ended, in the provider's own words. */
import { eventsIn } from "../http/sse/parser.ts"
import { parseJson, property } from "../util/json.ts"
import type { RequestSpan } from "./requestSpan.ts"

const isText = (u: unknown): u is string => typeof u === "string" && u !== ""

/** Finish reasons: one for each choice of `chat.completions`, one for a response of the Responses API or Anthropic. */
const reasonsIn = (said: unknown): Array<string> => {
  const choices = property(said, "choices")
  if (Array.isArray(choices)) return choices.map((one) => property(one, "finish_reason")).filter(isText)
  const reason =
    property(property(said, "incomplete_details"), "reason") ??
    property(property(said, "delta"), "stop_reason") ??
    property(said, "stop_reason") ??
    (property(said, "object") === "response" ? property(said, "status") : undefined)
  return isText(reason) ? [reason] : []
}

const tell = (span: RequestSpan, said: unknown, reasons: Array<string>): void => {
  const id = property(said, "id")
  const model = property(said, "model")
  if (isText(id)) span.set("gen_ai.response.id", id)
  if (isText(model)) span.set("gen_ai.response.model", model)
  if (reasons.length > 0) span.set("gen_ai.response.finish_reasons", reasons)
}

/** Sets the response attributes from a body that was read whole. */
export const ofWhole = (span: RequestSpan, bytes: Uint8Array): void => {
  const said = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  if (said !== undefined) tell(span, said, reasonsIn(said))
}

/** Sets the response attributes from the whole events in this end of a stream, which has one character a byte. */
export const ofTail = (span: RequestSpan, text: string): void => {
  let last: unknown
  let reasons: Array<string> = []
  for (const { data } of eventsIn(text)) {
    const event = parseJson(Buffer.from(data, "latin1").toString())
    if (event === undefined) continue
    const said = property(event, "response") ?? event
    const found = reasonsIn(said)
    // Choices end one by one; of one answer the last word counts.
    if (found.length > 0 && !Array.isArray(property(said, "choices"))) reasons = []
    reasons.push(...found)
    if (isText(property(said, "id"))) last = said
  }
  tell(span, last, reasons)
}
