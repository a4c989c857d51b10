/** Expected outcomes, as a cell of the matrix writes them. */
import type { ClientError, Processed, RequestReason } from "../../src/ClientError.ts"
import type { Kind } from "./ask.ts"

/** Facts of a failure; absent ones are not compared. */
interface Facts {
  readonly processed?: Processed
  readonly attempts?: number
  readonly status?: number
  /** A part of its message. */
  readonly says?: string
}

export type Expected =
  /** Answered, and sent once. */
  | { readonly type: "unaffected" }
  /** Answered, with what nobody should be answered: a row that says what can't be helped. */
  | { readonly type: "answered"; readonly text: string }
  /** Answered; it was sent more than once, and the server had not worked on it before. */
  | { readonly type: "resent" }
  /** Rule 2: generation is repeated and answered, all else fails with this reason, perhaps processed. */
  | { readonly type: "processed"; readonly reason: RequestReason }
  | { readonly type: "fails"; readonly tag: ClientError["_tag"]; readonly reason: string; readonly facts: Facts }

export const unaffected: Expected = { type: "unaffected" }
/** "new" in the table. */
export const resent: Expected = { type: "resent" }
/** "P" in the table. */
export const processed = (reason: RequestReason = "Connection"): Expected => ({ type: "processed", reason })
export const answered = (text: string): Expected => ({ type: "answered", text })
export const fails = (reason: RequestReason, facts: Facts = {}): Expected => ({
  type: "fails",
  tag: "RequestError",
  reason,
  facts
})

/** Outcome of a request: its answer's text, or the error. */
export type Outcome =
  | { readonly type: "answer"; readonly text: string; readonly wanted: string | undefined }
  | { readonly type: "error"; readonly error: ClientError }

const told = (error: ClientError): string => {
  const reason = "reason" in error ? ` ${error.reason}` : ""
  const facts = error._tag === "RequestError" ? ` (processed ${error.processed}, attempts ${error.attempts})` : ""
  return `${error._tag}${reason}${facts}: ${error.message}`
}

/**
 * The difference between an outcome and the expected one; `undefined` if there is none. `sent`: how often the server
 * saw the request.
 */
export const mismatch = (expected: Expected, kind: Kind, outcome: Outcome, sent: number): string | undefined => {
  const asExpected = expected.type === "processed" ? ruled(expected.reason, kind) : expected
  if (asExpected.type === "fails") {
    if (outcome.type === "answer") return `was answered, and should fail with ${asExpected.reason}`
    const { error } = outcome
    if (error._tag !== asExpected.tag || !("reason" in error) || error.reason !== asExpected.reason) {
      return `should fail with ${asExpected.reason}, and failed with ${told(error)}`
    }
    const { says = "", ...facts } = asExpected.facts
    if (!error.message.includes(says)) return `should say "${says}", and failed with ${told(error)}`
    for (const [name, value] of Object.entries(facts)) {
      const found = (error as unknown as Record<string, unknown>)[name]
      if (found !== value) return `should have ${name} ${String(value)}, and failed with ${told(error)}`
    }
    return undefined
  }
  if (outcome.type === "error") return `should be answered, and failed with ${told(outcome.error)}`
  if (asExpected.type === "answered") {
    return outcome.text === asExpected.text
      ? undefined
      : `should be answered "${asExpected.text}", and was "${outcome.text}"`
  }
  if (outcome.text === "") return "should be answered, and was with nothing"
  if (outcome.wanted !== undefined && outcome.text !== outcome.wanted)
    return `should be answered "${outcome.wanted}", and was "${outcome.text}"`
  if (asExpected.type === "unaffected" && sent !== 1) return `should be sent once, and was ${sent} times`
  if (asExpected.type === "resent" && sent < 2) return `should be sent again, and came ${sent} times`
  return undefined
}

const ruled = (reason: RequestReason, kind: Kind): Expected =>
  kind === "stored" ? fails(reason, { processed: "maybe", attempts: 1 }) : resent
