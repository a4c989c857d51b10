/** The functions of an API without Effect: promises and async iterables over a pooled fetch. Rejects with a ClientError. */
import type { ClientConfig } from "../../ClientConfig.ts"
import { type ClientError, OptionsError, RequestError } from "../../ClientError.ts"
import * as CallContext from "../request/callContext.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import { OWN, type Own } from "../request/pooledFetch.ts"
import { here, SITE } from "../sdk/callSite.ts"
import type { Api } from "./apis.ts"
import type { Batches } from "./batches.ts"
import * as Calls from "./calls.ts"
import type { PromiseApiRequest, PromiseCallOptions } from "./options.ts"

type Fetch = typeof globalThis.fetch

/** Public types are narrower. */
export interface PromiseApi {
  readonly chat: (body: unknown, options?: PromiseCallOptions) => Promise<unknown>
  readonly chatStream: (body: unknown, options?: PromiseCallOptions) => AsyncIterable<unknown>
  readonly embeddings: (body: unknown, options?: PromiseCallOptions) => Promise<unknown>
  readonly request: (request: PromiseApiRequest) => Promise<unknown>
}

/** A call that is made within another, as in the callback of `use`, belongs to that one. */
const callContext = (): CallContext.CallContext => CallContext.current() ?? CallContext.make(undefined, undefined)

const failureOf = (
  config: ClientConfig,
  thrown: unknown,
  signal: AbortSignal | null | undefined,
  context: CallContext.CallContext
): ClientError => {
  if (thrown instanceof OptionsError) return thrown
  if (signal?.aborted !== true || thrown !== signal.reason) return Failure.fromThrown(config, thrown, context)
  return new RequestError({
    provider: config.provider,
    baseURL: config.baseURL,
    reason: "Aborted",
    detail: "the request was aborted by its signal",
    processed: "maybe",
    attempts: context.attempts,
    cause: thrown
  })
}

type Open = (signal: AbortSignal, context: CallContext.CallContext) => Promise<Batches>

const done: IteratorReturnResult<undefined> = { value: undefined, done: true }

/** One request, sent with the first `next`. Values of a batch that has come are given without a turn of the loop. */
class Values implements AsyncIterator<unknown, undefined> {
  readonly #config: ClientConfig
  readonly #context = callContext()
  readonly #open: Open
  readonly #signal: AbortSignal | undefined
  readonly #controller = new AbortController()
  #batches: Batches | undefined
  #batch: ReadonlyArray<unknown> = []
  #at = 0
  #isOver = false
  /** The `next` that is under way. */
  #pending: Promise<unknown> | undefined

  constructor(config: ClientConfig, signal: AbortSignal | null | undefined, open: Open) {
    this.#config = config
    this.#open = open
    this.#signal = signal ?? undefined
    if (signal?.aborted === true) this.#abort()
    else signal?.addEventListener("abort", this.#abort, { once: true })
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#pending !== undefined) {
      const again = () => this.next()
      return this.#pending.then(again, again)
    }
    if (this.#isOver) return Promise.resolve(done)
    if (this.#signal?.aborted === true) return this.#fail(this.#signal.reason)
    if (this.#at < this.#batch.length) return Promise.resolve({ value: this.#batch[this.#at++], done: false })
    const pending = this.#pull()
    const settled = () => (this.#pending = undefined)
    this.#pending = pending.then(settled, settled)
    return pending
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#end()
    return Promise.resolve(done)
  }

  async #pull(): Promise<IteratorResult<unknown, undefined>> {
    try {
      this.#batches ??= await this.#open(this.#controller.signal, this.#context)
      const batch = await this.#batches.next()
      if (batch === undefined || this.#isOver) {
        this.#end()
        return done
      }
      this.#batch = batch
      this.#at = 1
      return { value: batch[0], done: false }
    } catch (error) {
      if (this.#isOver) return done
      return await this.#fail(error)
    }
  }

  #fail(error: unknown): Promise<never> {
    this.#end()
    return Promise.reject(failureOf(this.#config, error, this.#signal, this.#context))
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#batch = []
    this.#signal?.removeEventListener("abort", this.#abort)
    if (this.#batches === undefined) this.#controller.abort()
    else this.#batches.cancel()
  }

  readonly #abort = (): void => this.#controller.abort(this.#signal!.reason)
}

/** `fixed` are headers of all requests, `null` for those that are left out. */
export const make = <P extends string, Extra extends string>(
  api: Api<P, Extra>,
  config: ClientConfig<P>,
  fetch: Fetch,
  fixed: Readonly<Record<string, null>> | undefined
): PromiseApi => {
  const completed = <Options extends PromiseCallOptions>(options: Options): Options =>
    fixed === undefined ? options : { ...options, headers: { ...fixed, ...options.headers } }

  const run = async <A>(
    signal: AbortSignal | null | undefined,
    context: CallContext.CallContext,
    make: () => Calls.ApiCall<A>,
    more?: object
  ): Promise<A> => {
    const {
      read,
      written: { init, url }
    } = make()
    const own: Own = { ...init[OWN], call: context }
    const response = await fetch(url, { ...init, ...more, signal: signal ?? null, [OWN]: own } as RequestInit)
    return read(response, { place: config, attempts: context.attempts, context })
  }

  const answer = async (signal: AbortSignal | null | undefined, make: () => Calls.ApiCall<unknown>) => {
    const context = callContext()
    try {
      return await run(signal, context, make)
    } catch (error) {
      throw failureOf(config, error, signal, context)
    }
  }

  const self: PromiseApi = {
    chat: (body, options = {}) => answer(options.signal, () => Calls.chat(api, config, body, completed(options))),
    chatStream: (body, options = {}) => {
      const site = here(self.chatStream)
      return {
        [Symbol.asyncIterator]: () =>
          new Values(config, options.signal, (signal, context) =>
            run(signal, context, () => Calls.chatStream(api, config, body, completed(options)), { [SITE]: site })
          )
      }
    },
    embeddings: (body, options = {}) =>
      answer(options.signal, () => Calls.embeddings(api, config, body, completed(options))),
    request: (request) => answer(request.signal, () => Calls.request(api, config, completed(request)))
  }
  return self
}
