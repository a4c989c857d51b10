/** One call over a pooled fetch: what is sent, and how its answer is read. */
import type { ClientConfig } from "../../ClientConfig.ts"
import type { ErrorOrigin } from "../request/errors/fromSdk.ts"
import { decoded, refusalOf, valueOf } from "./answer.ts"
import type { Api } from "./apis.ts"
import { Batches } from "./batches.ts"
import type { ApiRequest, CallOptions } from "./options.ts"
import { isDecoded, write, writeCall, type Written } from "./request.ts"

export interface ApiCall<A> {
  readonly written: Written
  /** Reads a response, also one that is no success, for which it throws or rejects. */
  readonly read: (response: Response) => A | PromiseLike<A>
}

const reading =
  <P extends string, Extra extends string>(api: Api<P, Extra>, place: ErrorOrigin) =>
  (response: Response): unknown =>
    valueOf(place, api, response)

/** Throws a RequestError. */
export const chat = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  body: unknown,
  options?: CallOptions
): ApiCall<unknown> => ({
  written: writeCall(api, config, "chat", body, options),
  read: reading(api, config)
})

/** Throws a RequestError. */
export const chatStream = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  body: unknown,
  options?: CallOptions
): ApiCall<Batches> => ({
  written: writeCall(api, config, "chatStream", body, options),
  read: (response) => {
    if (response.status < 300) return new Batches(config, api, response)
    return refusalOf(api, response).then((error) => {
      throw error
    })
  }
})

/** Throws a RequestError. */
export const embeddings = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  body: unknown,
  options?: CallOptions
): ApiCall<unknown> => {
  const written = writeCall(api, config, "embeddings", body, options)
  const read = reading(api, config)
  if (!isDecoded(api, body as object)) return { written, read }
  return { written, read: async (response) => decoded(config, await read(response)) }
}

/** Throws a RequestError. */
export const request = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  given: ApiRequest
): ApiCall<unknown> => ({ written: write(api, config, given), read: reading(api, config) })
