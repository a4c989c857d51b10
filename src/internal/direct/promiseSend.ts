/** Sends calls for code without Effect, and gives their failures as the caller is to see them. */
import type { ClientConfig } from "../../ClientConfig.ts"
import { type ClientError, OptionsError, RequestError } from "../../ClientError.ts"
import type { CallContext } from "../request/callContext.ts"
import * as Failure from "../request/errors/fromSdk.ts"
import { OWN, type Own, type PooledFetch } from "../request/pooledFetch.ts"
import * as Site from "../sdk/callSite.ts"
import type { ApiCall } from "./calls.ts"

/** A call whose turn has come. */
interface SentCall<A> {
  readonly signal: AbortSignal | undefined
  readonly context: CallContext
  /** Throws a ClientError. */
  readonly make: () => ApiCall<A>
  /** Call site of a stream. */
  readonly site?: Site.Site
}

/** A failure as the caller is to see it. `context` is that of its request, if it has been sent. */
export const failureOf = (
  place: Failure.ErrorOrigin,
  thrown: unknown,
  signal: AbortSignal | undefined,
  context: CallContext | undefined
): ClientError => {
  if (thrown instanceof OptionsError) return thrown
  if (signal?.aborted !== true || thrown !== signal.reason) return Failure.fromThrown(place, thrown, context)
  return aborted(place, thrown, context)
}

/** The error of a call that its caller has given up. `context` as with `failureOf`. */
export const aborted = (
  { baseURL, provider }: Failure.ErrorOrigin,
  cause: unknown,
  context?: CallContext
): RequestError =>
  new RequestError({
    provider,
    baseURL,
    reason: "Aborted",
    detail: "the request was aborted by its signal",
    processed: context === undefined ? "no" : "maybe",
    attempts: context?.attempts ?? 0,
    cause
  })

/** Writes and sends a call. Rejects with a ClientError. `undefined` if the fetch has begun nothing. */
export const send = <A>(
  config: ClientConfig,
  fetch: PooledFetch["tryFetch"],
  call: SentCall<A>
): Promise<A> | undefined => {
  const { context, make, signal } = call
  try {
    const {
      read,
      written: { init, url }
    } = make()
    const own: Own = { ...init[OWN], call: context }
    const response = fetch(url, { ...init, signal: signal ?? null, [OWN]: own } as RequestInit)
    return response === undefined ? undefined : answerOf(config, response, read, call)
  } catch (error) {
    return Promise.reject(failureOf(config, error, signal, context))
  }
}

const answerOf = async <A>(
  config: ClientConfig,
  sent: Promise<Response>,
  read: ApiCall<A>["read"],
  { context, signal, site }: SentCall<A>
): Promise<A> => {
  try {
    const response = await sent
    if (site !== undefined) Site.watch(response, site, config.baseURL)
    return await read(response, { place: config, attempts: context.attempts, context })
  } catch (error) {
    throw failureOf(config, error, signal, context)
  }
}
