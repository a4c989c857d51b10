/** The functions of an API without Effect: promises and async iterables over a pooled fetch. Rejects with a ClientError. */
import type { ClientConfig } from "../../ClientConfig.ts"
import type { LeasedFetch } from "../client/leasedFetch.ts"
import * as CallContext from "../request/callContext.ts"
import { here } from "../sdk/callSite.ts"
import type { Api } from "./apis.ts"
import * as Calls from "./calls.ts"
import type { PromiseApiRequest, PromiseCallOptions } from "./options.ts"
import { open } from "./promiseCall.ts"
import { send } from "./promiseSend.ts"
import { Values } from "./values.ts"

/** Public types are narrower. */
export interface PromiseApi {
  readonly chat: (body: unknown, options?: PromiseCallOptions) => Promise<unknown>
  readonly chatStream: (body: unknown, options?: PromiseCallOptions) => AsyncIterable<unknown>
  readonly embeddings: (body: unknown, options?: PromiseCallOptions) => Promise<unknown>
  readonly request: (request: PromiseApiRequest) => Promise<unknown>
}

/** `fixed` are headers of all requests, `null` for those that are left out. */
export const make = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  leased: LeasedFetch,
  fixed: Readonly<Record<string, null>> | undefined
): PromiseApi => {
  const completed = <Options extends PromiseCallOptions>(options: Options): Options =>
    fixed === undefined ? options : { ...options, headers: { ...fixed, ...options.headers } }

  const answer = ({ signal: given }: PromiseCallOptions, make: () => Calls.ApiCall<unknown>): Promise<unknown> => {
    const signal = given ?? undefined
    return open(
      config,
      leased,
      { signal, send: (fetch, context) => send(config, fetch, { signal, context, make }) },
      CallContext.current()
    )
  }

  const self: PromiseApi = {
    chat: (body, options = {}) => answer(options, () => Calls.chat(api, config, body, completed(options))),
    chatStream: (body, options = {}) => {
      const { signal } = options
      const make = () => Calls.chatStream(api, config, body, completed(options))
      const stream = { config, leased, signal: signal ?? undefined, make, site: here(self.chatStream) }
      return { [Symbol.asyncIterator]: () => new Values(stream) }
    },
    embeddings: (body, options = {}) => answer(options, () => Calls.embeddings(api, config, body, completed(options))),
    request: (request) => answer(request, () => Calls.request(api, config, completed(request)))
  }
  return self
}
