/**
 * The `fetch` that an SDK client is given: everything that coordinates agents sits here, below the SDK and above the
 * sockets, so it holds on every road. One request: lease, credential, quota, retries, transport. The lease and the
 * permit last as long as the body. Plain promises: this is the path of every request.
 */
import * as Redacted from "effect/Redacted"
import { PoolError, RequestError } from "../ClientError.ts"
import type { Handle } from "../LeaseMap.ts"
import type { Quota } from "../Quota.ts"
import * as CallContext from "./callContext.ts"
import * as Failure from "./failure.ts"
import { excerpt } from "./fetch/excerpt.ts"
import { type Exchange, exchange, prepare } from "./fetch/exchange.ts"
import { noteCaller } from "./malformed.ts"
import * as Retry from "./retry.ts"
import type { SecretSource } from "./secretSource.ts"
import type { Transport } from "../Transport.ts"
import { type Timeouts, WireError } from "./wire.ts"

/** What SDKs are given for a key. Our fetch puts the real one in its place, so no SDK object ever holds it. */
export const PLACEHOLDER = "held-by-clientele"

/** What SDKs are given for each configured header: they print headers, and a header may be a secret as well. */
export const HEADER_PLACEHOLDER = "configured-in-clientele"

export interface Wiring {
  readonly place: Failure.Place
  readonly transport: Pick<Transport, "origin" | "pool">
  readonly quota: Quota
  readonly credential: SecretSource
  /** The configured headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly lease: Pick<Handle, "retain" | "release">
  /** Whether the client layer has been closed, which ends all leases. */
  readonly isClosed: () => boolean
  readonly timeouts: Timeouts
  readonly maxRetries: number
  /** Called with +1 and -1 as requests come and go. */
  readonly count: (change: 1 | -1) => void
}

type Fetch = typeof globalThis.fetch

const either = (a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined =>
  a === undefined ? b : b === undefined ? a : AbortSignal.any([a, b])

const sleep = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", aborted)
    }
    const aborted = (): void => {
      done()
      reject(signal!.reason as Error)
    }
    const timer = setTimeout(() => {
      done()
      resolve()
    }, ms)
    if (signal?.aborted) return aborted()
    signal?.addEventListener("abort", aborted, { once: true })
  })

/** The headers, with the secret wherever the SDK put a placeholder; a caller's own stay as they are. */
const withSecrets = (
  headers: Readonly<Record<string, string>>,
  configured: Readonly<Record<string, string>>,
  secret: Redacted.Redacted
): Record<string, string> => {
  // A copy, since a retry may want another secret.
  const all = { ...headers }
  for (const name in headers) {
    const value = headers[name]!
    if (value === HEADER_PLACEHOLDER) all[name] = configured[name] ?? value
    else if (value.endsWith(PLACEHOLDER)) all[name] = value.slice(0, -PLACEHOLDER.length) + Redacted.value(secret)
  }
  return all
}

interface Refusal {
  readonly response: Response
  /** The provider's own error code, such as `insufficient_quota`. */
  readonly code: unknown
}

/** Reads an answer that is no success: its code, and all of it without the secret, should the provider repeat it. */
const refusal = async (response: Response, secret: Redacted.Redacted, attempts: number): Promise<Refusal> => {
  const text = await excerpt(response)
  const key = Redacted.value(secret)
  const headers = new Headers()
  for (const [name, value] of response.headers) {
    if (name !== "content-length") headers.append(name, value.replaceAll(key, "[key]"))
  }
  headers.set(Failure.ATTEMPTS, String(attempts))
  // All retries are ours: this keeps an SDK from its own, should a request ask for some (`{ maxRetries: 5 }`).
  headers.set("x-should-retry", "false")
  let code: unknown
  try {
    code = Failure.codeIn(JSON.parse(text))
  } catch {
    // Not every error is JSON: a proxy's page, say. Then it has no code.
  }
  const { status, statusText } = response
  const copy = new Response(text.replaceAll(key, "[key]"), { status, statusText, headers })
  return { response: Object.defineProperty(copy, "url", { value: response.url }), code }
}

/** What can't be sent at all is refused here, where its field can still be named. */
const unsendable = (place: Failure.Place, cause: unknown): RequestError => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new RequestError({ ...place, reason: "BadRequest", detail, processed: "no", attempts: 0, cause })
}

export const make = (wiring: Wiring): Fetch => {
  const { place, quota, credential, lease, timeouts, maxRetries } = wiring
  const { origin, pool } = wiring.transport

  /** Waits for a permit, which may take longer than a token lives. */
  const wait = async (signal: AbortSignal | undefined): Promise<Redacted.Redacted> => {
    await quota.enter(signal)
    try {
      return credential.peek() ?? (await credential.load(signal))
    } catch (error) {
      quota.leave()
      throw error
    }
  }

  const send = async (input: Parameters<Fetch>[0], init: RequestInit | undefined): Promise<Response> => {
    // The loop holds the lease, and so does each attempt until its body has ended.
    let holds = 1
    const letGo = (): void => {
      if (--holds === 0) {
        wiring.count(-1)
        lease.release()
      }
    }
    const ended = (): void => {
      quota.leave()
      letGo()
    }
    wiring.count(1)
    const call = CallContext.current()
    let attempts = 0
    try {
      let request: Exchange
      try {
        const prepared = prepare(input, init)
        request = prepared instanceof Promise ? await prepared : prepared
      } catch (cause) {
        throw unsendable(place, cause)
      }
      if (request.origin !== origin) throw elsewhere(place, origin, request.origin)
      const outer = call?.signal
      const repeatable = Retry.repeatable(request.method, request.path, request.headers)
      for (;;) {
        let secret = credential.peek() ?? (await credential.load(either(request.signal, outer)))
        if (!quota.tryEnter()) secret = await wait(either(request.signal, outer))
        attempts++
        holds++
        const mayRetry = attempts <= maxRetries && request.replayable
        let delay: number | undefined
        let open: WeakRef<Response> | undefined
        let over = false
        try {
          const response = await exchange(pool, request, {
            timeouts,
            signal: outer,
            headers: withSecrets(request.headers, wiring.headers, secret),
            onEnd: () => {
              over = true
              if (open !== undefined) call!.open!.delete(open)
              ended()
            }
          })
          if (call !== undefined) call.attempts = attempts
          if (response.status < 400) {
            if (call !== undefined && !over) (call.open ??= new Set()).add((open = new WeakRef(response)))
            return response
          }
          if (mayRetry) delay = Retry.afterResponse(response, attempts, repeatable)
          const { response: answer, code } = await refusal(response, secret, attempts)
          if (delay === undefined || code === "insufficient_quota") return answer
        } catch (error) {
          if (!(error instanceof WireError)) throw error
          if (mayRetry) delay = Retry.afterError(error, attempts, repeatable)
          if (delay === undefined) throw error
        }
        await sleep(delay, either(request.signal, outer))
      }
    } catch (error) {
      const failure = error instanceof WireError ? Failure.fromWire(place, error, attempts) : error
      if (call !== undefined && (failure instanceof PoolError || failure instanceof RequestError))
        call.failure = failure
      throw failure
    } finally {
      letGo()
    }
  }

  /** A caller that can't be seen, as in a bundle, is not looked for at every request. */
  let looks = 3
  const fetch: Fetch = (input, init) => {
    if (looks > 0) looks = noteCaller() ? 0 : looks - 1
    return lease.retain() ? send(input, init) : Promise.reject(wiring.isClosed() ? closed(place) : released(place))
  }
  // Before an upload the SDKs look for this class here, and if it is missing fetch "data:," to learn it.
  return Object.assign(fetch, { Response })
}

const closed = (place: Failure.Place): PoolError =>
  new PoolError({
    ...place,
    reason: "Closed",
    detail: "the client layer has been closed, so no request can be started any more"
  })

const released = (place: Failure.Place): PoolError =>
  new PoolError({
    ...place,
    reason: "Released",
    detail:
      "this client was kept after its scope had closed, and its connections are gone. Take it where it is used, " +
      "with `use`, or with `get` inside the scope that needs it; a lease is cheap"
  })

const elsewhere = (place: Failure.Place, origin: string, asked: string): RequestError =>
  new RequestError({
    ...place,
    reason: "BadRequest",
    detail:
      `a request to ${asked} was refused: this client's credential is for ${origin} alone. ` +
      "Ask for a client with that baseURL instead",
    processed: "no",
    attempts: 0
  })
