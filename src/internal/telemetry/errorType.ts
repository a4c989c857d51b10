/** Values of `error.type` for failures: few, and nothing of their text. */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import { property } from "../util/json.ts"

export const typeOf = (failure: unknown): string => {
  // An AiError of Effect 4 is named by its reason, or by the failure of ours behind that.
  const wrapped = property(failure, "reason")
  if (typeof wrapped === "object" && wrapped !== null) return typeOf(property(wrapped, "cause") ?? wrapped)
  // The conventions take a status for the type; else it is the reason of what was wrapped, or its tag.
  const status = property(property(failure, "response"), "status") ?? property(failure, "status")
  if (typeof status === "number") return String(status)
  const reason = property(property(failure, "cause"), "reason") ?? property(failure, "reason")
  if (typeof reason === "string") return reason
  const tag = property(failure, "_tag")
  if (typeof tag === "string") return tag
  return failure instanceof Error ? failure.name : "_OTHER"
}

export const errorType = (cause: Cause.Cause<unknown>): string =>
  Cause.isInterruptedOnly(cause) ? "interrupted" : typeOf(Option.getOrUndefined(Cause.failureOption(cause)))
