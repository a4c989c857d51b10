/** Describes the failure of a load in one line for the log. */
import * as Cause from "effect/Cause"
import type * as Redacted from "effect/Redacted"
import { describe } from "../options/validate.ts"
import { oneLine } from "../redaction/escapeControl.ts"
import { scrub } from "../redaction/redact.ts"

/** Enough for a token endpoint's message; an HTML page is cut. */
const MAX_MESSAGE_CHARACTERS = 300

/** Its name and message alone: the rest of an error often holds the request, and with it the secret. */
export const tell = (cause: Cause.Cause<unknown>, secret: Redacted.Redacted | undefined): string => {
  const error = Cause.squash(cause)
  const text =
    error instanceof Error ? `${error.name}: ${error.message}` : typeof error === "string" ? error : tag(error)
  const safe = oneLine(secret === undefined ? text : scrub(text, secret, []))
  return safe.length > MAX_MESSAGE_CHARACTERS ? `${safe.slice(0, MAX_MESSAGE_CHARACTERS)}...` : safe
}

const tag = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : describe(error)
