/** The functions of an API without Effect: promises and async iterables over a pooled fetch. Rejects with a ClientError. */
import type { ClientConfig } from "../../ClientConfig.ts"
import type { LeasedFetch } from "../client/leasedFetch.ts"
import * as CallContext from "../request/callContext.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import { here } from "../sdk/callSite.ts"
import type { Api } from "./apis.ts"
import * as Calls from "./calls.ts"
import type { PromiseApiRequest, PromiseCallOptions } from "./options.ts"
import { openLate, openNow, type WaitingCall } from "./promiseCall.ts"
import { send } from "./promiseSend.ts"
import { StreamedValues } from "./values.ts"

/** Public types are narrower. */
export interface PromiseApi {
  readonly chat: (body: unknown, options?: PromiseCallOptions) => Promise<unknown>
  readonly chatStream: (body: unknown, options?: PromiseCallOptions) => AsyncIterable<unknown>
  readonly embeddings: (body: unknown, options?: PromiseCallOptions) => Promise<unknown>
  readonly request: (request: PromiseApiRequest) => Promise<unknown>
}

const nobody = (): void => undefined

/** A call with one value as its answer, in one object: thousands may wait for their turn. */
class AnswerCall implements WaitingCall<unknown> {
  readonly signal: AbortSignal | undefined
  answered: (answer: unknown) => void = nobody
  reject: (error: unknown) => void = nobody
  readonly #config: ClientConfig
  readonly #make: () => Calls.ApiCall<unknown>

  constructor(config: ClientConfig, signal: AbortSignal | undefined, make: () => Calls.ApiCall<unknown>) {
    this.signal = signal
    this.#config = config
    this.#make = make
  }

  send(fetch: PooledFetch["tryFetch"], context: CallContext.CallContext): Promise<unknown> | undefined {
    return send(this.#config, fetch, { signal: this.signal, context, make: this.#make })
  }
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

  const answer = ({ signal }: PromiseCallOptions, make: () => Calls.ApiCall<unknown>): Promise<unknown> => {
    const call = new AnswerCall(config, signal ?? undefined, make)
    const sent = openNow(config, leased, call, CallContext.current())
    if (sent !== undefined) return sent
    return new Promise((resolve, reject) => {
      call.answered = resolve
      call.reject = reject
      openLate(config, leased, call)
    })
  }

  const self: PromiseApi = {
    chat: (body, options = {}) => answer(options, () => Calls.chat(api, config, body, completed(options))),
    chatStream: (body, options = {}) => {
      const make = () => Calls.chatStream(api, config, body, completed(options))
      return new StreamedValues(config, leased, options.signal ?? undefined, make, here(self.chatStream))
    },
    embeddings: (body, options = {}) => answer(options, () => Calls.embeddings(api, config, body, completed(options))),
    request: (request) => answer(request, () => Calls.request(api, config, completed(request)))
  }
  return self
}
