/**
 * A model's requests over a provider's pooled fetch, without the SDK between: JSON out, and JSON or events back. Quotas,
 * retries, credentials and sockets are the fetch's business; interruption aborts what is under way.
 */
import * as Sse from "@effect/experimental/Sse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../ClientConfig.ts"
import { type ClientError, RequestError } from "../../ClientError.ts"
import type { Service } from "../../ClientMap.ts"
import type { Provider } from "../../Provider.ts"
import type { Bare } from "../bareProviders.ts"
import * as call from "../call.ts"
import * as Failure from "../failure.ts"
import type { Outlet } from "../outlet.ts"

/** Whose requests they are. */
export interface Sender<P extends string = string, Extra extends string = string> {
  readonly map: Service
  readonly provider: Provider<Bare, Bare, P, Extra>
  readonly config: ClientConfig<P>
}

export interface Request {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

interface Told {
  readonly message?: unknown
}

const messageOf = (body: unknown): string | undefined => {
  if (typeof body !== "object" || body === null) return undefined
  const { error, message } = body as Told & { readonly error?: Told | string }
  const said = typeof error === "object" ? error?.message : (error ?? message)
  return typeof said === "string" ? said : undefined
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** What the boundary of SDK errors knows, for it is the same answer. */
const refusal = async ({ headers, status }: Response, text: Promise<string>): Promise<Error> => {
  const error = parsed(await text)
  const said = messageOf(error) ?? (typeof error === "string" ? error : JSON.stringify(error))
  return Object.assign(new Error(`${status} ${said === "" ? "with nothing in it" : said}`), { status, headers, error })
}

const post = async (outlet: Outlet, { body, headers, url }: Request, signal: AbortSignal): Promise<Response> => {
  const response = await outlet.fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal })
  if (response.status >= 400) throw await refusal(response, response.text())
  return response
}

interface Failed {
  readonly error?: Told | string | null
  readonly type?: unknown
  readonly response?: { readonly error?: Told | null } | null
}

/** Throws what is said under a status of 200: as an `error`, and by the Responses API as an event or within one. */
const checked = (place: Failure.Place, said: object): object => {
  const { error, response, type } = said as Failed
  const failed = error ?? response?.error ?? (type === "error" ? said : undefined)
  if (failed == null) return said
  const known = { error: failed }
  throw new RequestError({
    ...place,
    reason: Failure.codeIn(known) === "insufficient_quota" ? "QuotaExceeded" : "Server",
    detail: messageOf(known) ?? JSON.stringify(failed),
    processed: "yes",
    attempts: 1
  })
}

/** One answer. */
export const json = <P extends string, Extra extends string>(
  { config, map, provider }: Sender<P, Extra>,
  request: Request
): Effect.Effect<unknown, ClientError> =>
  map.useOutlet(provider, config, (outlet) =>
    call.promise(config, async (signal): Promise<unknown> => {
      const said: unknown = await (await post(outlet, request, signal)).json()
      return typeof said === "object" && said !== null ? checked(config, said) : said
    })
  )

/** What an event says, or `undefined` after the last. */
const eventIn = (place: Failure.Place, text: string): unknown => {
  if (text === "[DONE]") return undefined
  const event = parsed(text)
  if (typeof event === "object" && event !== null) return checked(place, event)
  const detail = "an event of the stream is no JSON object"
  throw new RequestError({ ...place, reason: "Malformed", detail, processed: "yes", attempts: 1 })
}

async function* eventsOf(place: Failure.Place, response: Response): AsyncGenerator<unknown, void> {
  const texts: Array<string> = []
  const parser = Sse.makeParser((event) => {
    if (event._tag === "Event") texts.push(event.data)
  })
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    const tooLarge = parser.feed(decoder.decode(chunk, { stream: true }))
    if (tooLarge !== undefined) {
      const { message: detail } = tooLarge
      throw new RequestError({ ...place, reason: "Malformed", detail, processed: "yes", attempts: 1 })
    }
    for (const text of texts.splice(0)) {
      const event = eventIn(place, text)
      if (event === undefined) return
      yield event
    }
  }
}

/** An answer's events as they come; the request lives as long as the stream, and back-pressure reaches the provider. */
export const events = <P extends string, Extra extends string>(
  { config, map, provider }: Sender<P, Extra>,
  request: Request
): Stream.Stream<unknown, ClientError> =>
  Stream.unwrapScoped(
    Effect.map(map.outlet(provider, config), (outlet) =>
      call.stream(config, async (signal) => eventsOf(config, await post(outlet, request, signal)))
    )
  )
