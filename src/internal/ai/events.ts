/** Reads the parts of responses that all APIs share: errors under status 200, and server-sent events. */
import { RequestError } from "../../ClientError.ts"
import type * as Failure from "../request/errors/fromSdk.ts"
import { codeIn } from "../http/errorBody.ts"
import { EventParser } from "../http/sse/parser.ts"
import { parseJson } from "../util/json.ts"

interface Told {
  readonly message?: unknown
}

export const messageOf = (body: unknown): string | undefined => {
  if (typeof body !== "object" || body === null) return undefined
  const { error, message } = body as Told & { readonly error?: Told | string }
  const said = typeof error === "object" ? error?.message : (error ?? message)
  return typeof said === "string" ? said : undefined
}

interface Failed {
  readonly error?: Told | string | null
  readonly type?: unknown
  readonly response?: { readonly error?: Told | null } | null
}

/** Throws what is said under a status of 200: as an `error`, and by the Responses API as an event or within one. */
export const checked = ({ baseURL, provider }: Failure.Place, said: object): object => {
  const { error, response, type } = said as Failed
  const failed = error ?? response?.error ?? (type === "error" ? said : undefined)
  if (failed == null) return said
  const known = { error: failed }
  throw new RequestError({
    provider,
    baseURL,
    reason: codeIn(known) === "insufficient_quota" ? "QuotaExceeded" : "Server",
    detail: messageOf(known) ?? JSON.stringify(failed),
    processed: "yes",
    attempts: 1
  })
}

const malformed = ({ baseURL, provider }: Failure.Place, detail: string): RequestError =>
  new RequestError({ provider, baseURL, reason: "Malformed", detail, processed: "yes", attempts: 1 })

/**
 * The payload of an event, `undefined` for the last one, `[DONE]`. Throws on an error and on anything but a JSON
 * object.
 */
const eventIn = (place: Failure.Place, text: string): unknown => {
  if (text === "[DONE]") return undefined
  const event = parseJson(text)
  if (typeof event === "object" && event !== null) return checked(place, event)
  throw malformed(place, "an event of the stream is not a JSON object")
}

export async function* decode(place: Failure.Place, response: Response): AsyncGenerator<unknown, void> {
  const parser = new EventParser()
  for await (const chunk of response.body ?? []) {
    for (const { data } of parser.push(chunk)) {
      const event = eventIn(place, data)
      if (event === undefined) return
      yield event
    }
  }
}
