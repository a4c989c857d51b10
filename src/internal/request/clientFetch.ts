/**
 * The `fetch` that an SDK client is given: everything that coordinates agents sits here, below the SDK and above the
 * sockets, so it holds on every road. One request: lease, credential, quota, retries, transport. The lease and the
 * permit last as long as the body. Plain promises: this is the path of every request.
 */
import { randomUUID } from "node:crypto"
import { PoolError, RequestError } from "../../ClientError.ts"
import type { Underway, RequestDeps } from "./attempt.ts"
import * as CallContext from "./callContext.ts"
import * as Deadline from "./deadline.ts"
import { closed, elsewhere, released, unsendable } from "./errors/unsent.ts"
import * as Failure from "./errors/fromSdk.ts"
import { type PreparedRequest, prepare } from "../http/request.ts"
import { type PooledFetch, ownOf } from "./pooledFetch.ts"
import { Demand } from "../quota/demand.ts"
import { TurnedAway } from "../quota/turnedAway.ts"
import * as Idempotency from "./idempotency.ts"
import { RequestLoop } from "./requestLoop.ts"
import * as Otel from "../telemetry/otelSpans.ts"
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import { withResponse } from "../http/withResponse.ts"

type Fetch = typeof globalThis.fetch

export interface Closeable extends PooledFetch {
  /** Fails requests that wait for anything but a socket, now and later. */
  readonly close: () => void
}

export const make = (deps: RequestDeps): Closeable => {
  const { lease, maxRetryAfter, place, ticker, transport } = deps

  // No one signal for all: what joins a signal is held by it for as long as it lives.
  const waiting = new Set<AbortController>()
  let isClosing = false

  const send = async (input: Parameters<Fetch>[0], init: RequestInit | undefined): Promise<Response> => {
    let holds = 1
    deps.count(1)
    const own = ownOf(init)
    const call = own?.call ?? CallContext.current()
    const maxRetries = own?.maxRetries ?? deps.maxRetries
    const told = own?.told
    const deadline = Deadline.make(deps.deadline, ticker)
    const underway: Underway = {
      call,
      deadline,
      before: Failure.nothingYet,
      cut: (error) => {
        const failure = Failure.fromWire(place, error, underway.attempts, underway.before)
        return told === undefined ? failure : told(failure)
      },
      timeouts: own?.timeout === undefined ? deps.timeouts : { ...deps.timeouts, headers: own.timeout },
      attempts: 0,
      hidden: undefined,
      key: undefined,
      about: undefined,
      metered: undefined,
      reloaded: false,
      hold: () => {
        holds++
      },
      letGo: () => {
        if (--holds > 0) return
        deadline?.cancel()
        deps.count(-1)
        lease.release()
        underway.metered?.ended()
      }
    }
    let waiter: AbortController | undefined

    try {
      let request: PreparedRequest
      try {
        const prepared = prepare(input, init)
        if (!(prepared instanceof Promise)) request = prepared
        else request = await (deadline === undefined ? prepared : deadline.within(prepared))
      } catch (cause) {
        if (cause instanceof DeadlinePassed) throw cause
        throw unsendable(place, cause)
      }
      if (request.origin !== transport.origin) throw elsewhere(place, transport.origin, request.origin)
      const demand = (underway.about = new Demand(request, maxRetryAfter))
      if (own?.isMetered !== true) {
        const tracing = own?.isTraced === true ? undefined : (call?.tracing ?? Otel.start)
        underway.metered = deps.calls(request, demand.model, ticker.now, tracing)
      }
      let joined: AbortSignal | undefined
      /** The caller's own, the call's, and that of the client: for those who have to wait. */
      const signal = (): AbortSignal => {
        if (joined !== undefined) return joined
        waiting.add((waiter = new AbortController()))
        deadline?.ends(waiter)
        if (isClosing) waiter.abort(closed(place))
        const all = [request.signal, call?.signal, waiter.signal].filter((one) => one !== undefined)
        return (joined = AbortSignal.any(all))
      }
      if (
        maxRetries > 0 &&
        !Idempotency.isSafe(request.method) &&
        request.headers[Idempotency.IDEMPOTENCY_KEY] === undefined
      ) {
        underway.key = randomUUID()
      }
      const loop = new RequestLoop({ deps, underway, request, demand, maxRetries, signal })
      const span = underway.metered?.span
      return await (span === undefined ? loop.run() : span.within(() => loop.run()))
    } catch (error) {
      const failure =
        error instanceof WireError
          ? Failure.fromWire(place, error, underway.attempts, underway.before)
          : error instanceof TurnedAway
            ? Failure.fromTurnedAway(place, error, underway.attempts, underway.before)
            : error
      underway.metered?.failed(failure)
      if (call !== undefined && (failure instanceof PoolError || failure instanceof RequestError))
        call.failure = failure
      throw failure
    } finally {
      if (waiter !== undefined) waiting.delete(waiter)
      underway.letGo()
    }
  }

  const fetch: Fetch = (input, init) =>
    lease.retain() ? send(input, init) : Promise.reject(deps.isClosed() ? closed(place) : released(place))
  return {
    fetch: withResponse(fetch),
    tryFetch: (input, init) => (lease.join() ? send(input, init) : undefined),
    close: () => {
      isClosing = true
      for (const waiter of waiting) waiter.abort(closed(place))
    }
  }
}
