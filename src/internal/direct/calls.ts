/** One call over a pooled fetch: what is sent, and how its answer is read. */
import type { AnySpan } from "effect/Tracer"
import type { ClientConfig } from "../../ClientConfig.ts"
import { type AnswerFormat, decoded, type ReadCall, refusalOf, valueOf } from "./answer.ts"
import type { Api } from "./apis.ts"
import { Batches } from "./batches.ts"
import type { EventFormat } from "./events.ts"
import type { ApiRequest, CallOptions } from "./options.ts"
import { isDecoded, write, writeCall, type Written } from "./request.ts"

export interface ApiCall<A> {
  readonly written: Written
  /** Reads a response, also one that is no success, for which it throws or rejects. */
  readonly read: (response: Response, call: ReadCall) => A | PromiseLike<A>
  /** Records the attempts, and is the parent of the requests. @default that of the fiber */
  readonly span?: AnySpan | undefined
}

type Reader<A> = ApiCall<A>["read"]

/** Reads one value. */
const readValue =
  (format: AnswerFormat): Reader<unknown> =>
  (response, call) =>
    valueOf(call, format, response)

/** Reads the events of a stream. */
export const readEvents =
  (format: AnswerFormat, events: EventFormat): Reader<Batches> =>
  (response, call) => {
    if (response.status < 300) return new Batches(call, events, response)
    return refusalOf(format, response).then((error) => {
      throw error
    })
  }

/** Throws a RequestError. */
export const chat = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  body: unknown,
  options?: CallOptions
): ApiCall<unknown> => ({
  written: writeCall(api, config, "chat", body, options),
  read: readValue(api)
})

/** Throws a RequestError. */
export const chatStream = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  body: unknown,
  options?: CallOptions
): ApiCall<Batches> => ({
  written: writeCall(api, config, "chatStream", body, options),
  read: readEvents(api, api.events)
})

/** Throws a RequestError. */
export const embeddings = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  body: unknown,
  options?: CallOptions
): ApiCall<unknown> => {
  const written = writeCall(api, config, "embeddings", body, options)
  const read = readValue(api)
  if (!isDecoded(api, body as object)) return { written, read }
  return { written, read: async (response, call) => decoded(call, await read(response, call)) }
}

/** Throws a RequestError. */
export const request = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  given: ApiRequest
): ApiCall<unknown> => ({ written: write(api, config, given), read: readValue(api) })
