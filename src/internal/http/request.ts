/**
 * One attempt at an exchange: the request, its redirects, and a `Response` whose body may outlive this call. Retries,
 * quotas and credentials are the caller's business.
 */
import { WireError } from "../wire/errors.ts"
import type { CancelSource } from "../wire/cancellation.ts"
import type { Timeouts, WirePool, WireRequest, WireResponse } from "./types.ts"
import { discard } from "./bufferBody.ts"
import type { PreparedRequest } from "./prepare.ts"
import { afterWork, redirection, withoutBody, type RedirectHop } from "./redirect.ts"
import { respond } from "./response.ts"
import type { Tapping } from "./bodyObserver.ts"

export { prepare, type PreparedRequest } from "./prepare.ts"

/** Settings of one exchange, and the handler of its events: functions or methods, which are called on this object. */
export interface SendOptions extends Tapping {
  /** In milliseconds. */
  readonly timeouts: Timeouts
  /** Passes `WireRequest.about` to each hop. @default each hop is a request of its own */
  readonly about?: WireRequest["about"]
  readonly tenant?: WireRequest["tenant"]
  /** Hands on `WireRequest.pass`, for the first hop. @default each hop asks for its own */
  readonly pass?: WireRequest["pass"]
  /** Passes `WireRequest.deadline` to each hop: one for all hops together. @default none */
  readonly deadline?: WireRequest["deadline"]
  /** Aborts the exchange beside the caller's own signal, until the body has ended. */
  readonly signal: CancelSource | undefined
  /** Passes `WireRequest.seal` to each hop. @default headers go as they are */
  readonly seal?: WireRequest["seal"]
  /** Passes `WireRequest.recall` to the first hop alone. @default nothing changes while it waits */
  readonly recall?: WireRequest["recall"]
  /**
   * Called once when the exchange holds nothing any more: it failed, or its body ended, failed, was cancelled or was
   * collected unread. Must not throw. @default none
   *
   * `cut` is what its body failed with.
   */
  readonly onEnd?: ((cut: WireError | undefined) => void) | undefined
  /** Maps a failure that cuts the body to the error that its reader gets. Must not throw. @default the failure */
  readonly cut?: ((error: WireError) => unknown) | undefined
  /**
   * Called once with the head of the final answer, not that of a redirect, as it came off the wire: before anything
   * of the body is read, and before `onEnd`. Must not throw. @default none
   */
  readonly onHead?: ((status: number, headers: WireResponse["headers"]) => void) | undefined
}

/** The words by which the SDKs recognize a timeout: openai and groq look for them in the message. */
const timedOut = (error: WireError): WireError =>
  /timed? ?out/i.test(error.message)
    ? error
    : new WireError("Timeout", error.processed, `the request timed out: ${error.message}`, error.cause)

/** Maps a failure to what `fetch` rejects with. */
const failureOf = (error: unknown, own: AbortSignal | undefined): unknown => {
  if (!(error instanceof WireError)) return error
  if (error.reason === "Timeout") return timedOut(error)
  return error.reason === "Aborted" && own?.aborted === true ? own.reason : error
}

/** One hop, of which the first alone is what the caller asked for. */
const hopRequest = (
  { signal }: PreparedRequest,
  options: SendOptions,
  { body, method, path }: RedirectHop,
  headers: PreparedRequest["headers"],
  isFirst: boolean
): WireRequest => ({
  method,
  path,
  headers,
  seal: options.seal,
  recall: isFirst ? options.recall : undefined,
  body,
  about: options.about,
  tenant: options.tenant,
  pass: isFirst ? options.pass : undefined,
  signal,
  outer: options.signal === signal ? undefined : options.signal,
  timeouts: options.timeouts,
  deadline: options.deadline
})

const redirectionOf = (
  wire: WireResponse,
  prepared: PreparedRequest,
  hop: RedirectHop,
  hops: number
): RedirectHop | undefined => {
  try {
    return redirection(wire, prepared, hop, hops)
  } catch (error) {
    wire.body.cancel()
    throw error
  }
}

/**
 * Rejects with a WireError, or, once the caller's own signal has aborted, with that signal's reason, as fetch does.
 */
export const sendRequest = async (
  pool: WirePool,
  prepared: PreparedRequest,
  options: SendOptions
): Promise<Response> => {
  const { signal: own } = prepared
  const { about, clean, given, listener, onTapped, prints, tap } = options
  let ended = false
  let worked = false
  const end = (cut?: WireError) => {
    if (ended) return
    ended = true
    options.onEnd?.(cut)
  }
  const failure = (error: unknown): unknown => {
    const known = failureOf(error, own)
    return options.cut !== undefined && known instanceof WireError ? options.cut(known) : known
  }

  try {
    let hop: RedirectHop = prepared
    let { headers } = prepared
    for (let hops = 0; ; hops++) {
      const { body, method } = hop
      const wire = await pool.request(hopRequest(prepared, options, hop, headers, hops === 0))
      const next = redirectionOf(wire, prepared, hop, hops)
      if (next === undefined) {
        options.onHead?.(wire.status, wire.headers)
        wire.body.onEnd(end)
        const response = respond(wire, {
          url: hop.url,
          method,
          asked: prepared,
          about,
          redirected: hops > 0,
          limits: pool.limits,
          failure,
          tap,
          onTapped,
          given,
          listener,
          clean,
          prints
        })
        return response instanceof Promise ? await response : response
      }
      await discard(wire.body)
      if (next.method !== method) worked = true
      if (next.body === undefined && body !== undefined) headers = withoutBody(headers)
      hop = next
    }
  } catch (error) {
    end()
    throw failureOf(worked ? afterWork(error) : error, own)
  }
}
