/** An answer that is no success, read whole: its code, and what the SDK is to make its error of. */
import type * as Redacted from "effect/Redacted"
import * as Failure from "./failure.ts"
import { excerpt } from "./fetch/excerpt.ts"
import { scrub } from "./secrets.ts"

export interface Refusal {
  readonly response: Response
  /** The provider's own error code, such as `insufficient_quota`. */
  readonly code: unknown
}

export const read = async (response: Response, secret: Redacted.Redacted, attempts: number): Promise<Refusal> => {
  const text = await excerpt(response)
  const headers = new Headers()
  for (const [name, value] of response.headers) {
    if (name !== "content-length") headers.append(name, scrub(value, secret))
  }
  headers.set(Failure.ATTEMPTS, String(attempts))
  // All retries are ours: this keeps an SDK from its own, should a request ask for some (`{ maxRetries: 5 }`).
  headers.set("x-should-retry", "false")
  let code: unknown
  try {
    code = Failure.codeIn(JSON.parse(text))
  } catch {
    // Not every error is JSON: a proxy's page, say. Then it has no code.
  }
  const { status, statusText } = response
  const copy = new Response(scrub(text, secret), { status, statusText, headers })
  return { response: Object.defineProperty(copy, "url", { value: response.url }), code }
}
