/** Buffers a non-2xx response: its code, and the copy that the SDK makes its error of. */
import * as Failure from "./fromSdk.ts"
import { excerpt } from "../../http/excerpt.ts"
import { named } from "../../http/bufferedResponse.ts"
import { oneLine } from "../../redaction/escapeControl.ts"
import { isPage, wordsOf } from "../../http/htmlPage.ts"
import { codeIn, messageIn } from "../../http/errorBody.ts"

export interface Refusal {
  readonly response: Response
  /** The provider's own error code, such as `insufficient_quota`. */
  readonly code: unknown
  /** Its message. */
  readonly detail: string
}

/** Puts the messages in a body, of which SDKs make their errors', in one line each. Returns whether that changed any. */
const straighten = (body: unknown, depth = 0): boolean => {
  if (typeof body !== "object" || body === null || depth > 4) return false
  let changed = false
  for (const [name, value] of Object.entries(body)) {
    if (typeof value !== "string") changed = straighten(value, depth + 1) || changed
    else if (name === "message" && oneLine(value) !== value) {
      Reflect.set(body, name, oneLine(value))
      changed = true
    }
  }
  return changed
}

/** `502 Bad Gateway` without what SDKs put in front of it themselves. */
const withoutStatus = (words: string, status: number): string =>
  words.startsWith(`${status} `) ? words.slice(`${status} `.length) : words

/** `clean` takes secrets out of a text. */
export const read = async (response: Response, clean: (text: string) => string, attempts: number): Promise<Refusal> => {
  const { status, statusText } = response
  let text = clean(await excerpt(response))
  const headers = new Headers()
  for (const [name, value] of response.headers) {
    if (name !== "content-length") headers.append(name, clean(value))
  }
  headers.set(Failure.ATTEMPTS, String(attempts))
  // All retries are ours: this keeps an SDK from its own, should a request ask for some (`{ maxRetries: 5 }`).
  headers.set("x-should-retry", "false")
  let code: unknown
  let detail: string | undefined
  try {
    const body: unknown = JSON.parse(text)
    code = codeIn(body)
    if (straighten(body)) text = JSON.stringify(body)
    detail = messageIn(body)
  } catch {
    // Not every error is JSON: a proxy's page, for instance. Then it has no code, and SDKs use all of it as the
    // message.
    if (isPage(headers.get("content-type"), text)) {
      text = withoutStatus(wordsOf(text, clean), status)
      headers.set("content-type", "text/plain; charset=utf-8")
    } else text = oneLine(text)
  }
  // A response without a body may not have an empty one either.
  const copy = new Response(status === 304 ? null : text, { status, statusText, headers })
  return { response: named(copy, response.url, response.redirected), code, detail: detail ?? text }
}
