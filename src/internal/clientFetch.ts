/**
 * The `fetch` that an SDK client is given: everything that coordinates agents sits here, below the SDK and above the
 * sockets, so it holds on every road. One request: lease, credential, quota, retries, transport. The lease and the
 * permit last as long as the body. Plain promises: this is the path of every request.
 */
import { randomUUID } from "node:crypto"
import { PoolError, RequestError } from "../ClientError.ts"
import type * as Accounts from "./accounts.ts"
import { type Admission, attempt, hiddenOf, recalled, renew, type Underway, type Wiring } from "./attempt.ts"
import * as Attempts from "./attempts.ts"
import * as CallContext from "./callContext.ts"
import * as Deadline from "./deadline.ts"
import { closed, elsewhere, refused, released, unsendable } from "./denials.ts"
import * as Failure from "./failure.ts"
import { type Exchange, prepare } from "./fetch/exchange.ts"
import { noteCaller } from "./malformed.ts"
import { type Outlet, ownOf } from "./outlet.ts"
import { Demand } from "./quota/demand.ts"
import { isRefusal } from "./quota/permit.ts"
import { TurnedAway } from "./quota/turnedAway.ts"
import * as Refusal from "./refusal.ts"
import * as Repeat from "./repeat.ts"
import * as Retry from "./retry.ts"
import { scrub } from "./secrets.ts"
import { sleep } from "./ticker.ts"
import { isSpent } from "./transport/upload.ts"
import { CircuitOpen, DeadlinePassed, WireError } from "./wire.ts"

type Fetch = typeof globalThis.fetch

/** Whose business an answer is, if it is that of the credential. */
const concern = (status: number, code: unknown): "QuotaExceeded" | "Authentication" | undefined =>
  status === 401 ? "Authentication" : code === "insufficient_quota" ? "QuotaExceeded" : undefined

/** Ms: a loop that was busy comes too late, and Node warns of a timer for less than nothing. */
const left = (until: number, now: number): number => Math.max(0, until - now)

export interface Closeable extends Outlet {
  /** Whoever waits for anything but a socket fails, now and later. */
  readonly close: () => void
}

export const make = (wiring: Wiring): Closeable => {
  const { accounts, lease, maxRetryAfter, place, queueTimeout, recorder, retryAmbiguous, ticker, transport } = wiring

  // No one signal for all: what joins a signal is held by it for as long as it lives.
  const waiting = new Set<AbortController>()
  let isClosing = false

  /** Waits for a permit, which may take longer than a token lives. */
  const wait = async (
    account: Accounts.Account,
    demand: Demand,
    timeout: number,
    most: number,
    signal: AbortSignal | undefined,
    again: boolean
  ): Promise<Admission | undefined> => {
    const since = ticker.now()
    const permit = await account.quota.enter(demand, {
      signal,
      maxRetryAfter: most,
      timeout,
      movable: accounts.isPool,
      again
    })
    recorder.waited(ticker.now() - since)
    if (permit === undefined) return undefined
    try {
      return { account, permit, secret: account.secrets.peek() ?? (await account.secrets.load(signal)) }
    } catch (error) {
      permit.refund()
      permit.leave()
      throw error
    }
  }

  const send = async (input: Parameters<Fetch>[0], init: RequestInit | undefined): Promise<Response> => {
    let holds = 1
    wiring.count(1)
    const call = CallContext.current()
    const own = ownOf(init)
    const maxRetries = own?.maxRetries ?? wiring.maxRetries
    // To its caller its own timeout is how long it may take to the headers, waiting for its turn included.
    const patience = Math.min(queueTimeout, own?.timeout ?? Infinity)
    const told = own?.told
    const deadline = Deadline.make(wiring.deadline, ticker)
    const underway: Underway = {
      call,
      deadline,
      before: Failure.nothingYet,
      cut: (error) => {
        const failure = Failure.fromWire(place, error, underway.attempts, underway.before)
        return told === undefined ? failure : told(failure)
      },
      timeouts: own?.timeout === undefined ? wiring.timeouts : { ...wiring.timeouts, headers: own.timeout },
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
        wiring.count(-1)
        lease.release()
        underway.metered?.ended()
      }
    }
    let waiter: AbortController | undefined

    try {
      let request: Exchange
      try {
        const prepared = prepare(input, init)
        if (!(prepared instanceof Promise)) request = prepared
        else request = await (deadline === undefined ? prepared : deadline.within(prepared))
      } catch (cause) {
        if (cause instanceof DeadlinePassed) throw cause
        throw unsendable(place, cause)
      }
      if (request.origin !== transport.origin) throw elsewhere(place, transport.origin, request.origin)
      const demand = (underway.about = new Demand(request))
      if (own?.isMetered !== true) {
        underway.metered = wiring.calls(request.method, request.path, demand.model, ticker.now)
      }
      const read = (response: Response, { secret }: Admission): Promise<Refusal.Refusal> =>
        Refusal.read(response, (text) => scrub(text, secret, hiddenOf(wiring, underway, request)), underway.attempts)
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
      const retries = new Retry.Retries(maxRetries, maxRetryAfter, deadline)
      if (maxRetries > 0 && !Repeat.isSafe(request.method) && request.headers[Repeat.IDEMPOTENCY_KEY] === undefined) {
        underway.key = randomUUID()
      }
      let renewed = false
      let passedOn = 0
      let counted = false
      let until: number | undefined
      for (;;) {
        deadline?.check()
        const account = accounts.choose(demand)
        const { quota } = account
        const secret = account.secrets.peek() ?? (await account.secrets.load(signal()))
        // Each attempt has the whole of it, for its turn, in however many lines, and then for a socket.
        until ??= patience === Infinity ? Infinity : ticker.now() + patience
        const permit = quota.tryEnter(demand)
        const admission =
          permit === undefined
            ? await wait(
                account,
                demand,
                left(until, ticker.now()),
                Math.min(maxRetryAfter, deadline?.left() ?? Infinity),
                signal(),
                counted
              )
            : { account, permit, secret }
        // The gate closed while it waited, and another credential may be open.
        if (admission === undefined) continue
        if (!counted) quota.retries.request()
        counted = true
        let pause: number | undefined
        let outcome: Attempts.Outcome
        try {
          const response = await attempt(wiring, underway, request, admission, left(until, ticker.now()))
          if (response.status < 300) return response
          // Of a redirect that the caller wants for itself SDKs make an error, with the body in it.
          if (response.status < 400) return (await read(response, admission)).response
          outcome = Attempts.outcomeOfStatus(response.status)
          let answer: Response
          try {
            const refusal = await read(response, admission)
            answer = refusal.response
            const whose = concern(response.status, refusal.code)
            if (whose === undefined) {
              // A gate that has closed holds the next attempt back by itself, in its place in the line.
              const isHeld = isRefusal(response.status)
              const delay = request.replayable
                ? retries.afterResponse(
                    response,
                    Repeat.afterAnswer(request, retryAmbiguous),
                    quota.retries,
                    isHeld && accounts.isPool
                  )
                : undefined
              if (delay !== undefined) pause = isHeld ? delay.backoff : Math.max(delay.asked, delay.backoff)
            } else if (
              request.replayable &&
              whose === "Authentication" &&
              !renewed &&
              (await renew(admission, signal()))
            ) {
              renewed = true
              pause = 0
            } else {
              quota.refuse(admission.permit, refused(whose))
              if (request.replayable && ++passedOn < accounts.size) pause = 0
            }
            if (pause !== undefined) {
              const failure = deadline && Failure.fromAnswer(place, refusal, underway.attempts)
              underway.before = Failure.andThen(underway.before, Failure.workOn(response.status), failure)
            }
          } finally {
            admission.permit.leave()
          }
          if (pause === undefined) return answer
        } catch (error) {
          if (error === recalled) continue
          if (!(error instanceof WireError) || error instanceof DeadlinePassed) throw error
          underway.attempts += error.resent
          if (isSpent(request.body)) throw error
          if (error instanceof CircuitOpen) {
            const patient = left(until, ticker.now())
            if (retries.afterCircuit(error.left, patient) !== true) throw error
            await error.wait(signal(), patient)
            continue
          }
          outcome = Attempts.outcomeOfError(error)
          pause = retries.afterError(error, Repeat.whenUnknown(request, retryAmbiguous), quota.retries)
          if (pause === undefined) throw error
          const failure = deadline && Failure.fromWire(place, error, underway.attempts)
          underway.before = Failure.andThen(underway.before, error.processed, failure)
        }
        recorder.retry(call?.span, underway.attempts, outcome, pause)
        until = undefined
        if (pause > 0) await sleep(ticker, pause, signal())
      }
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

  /** A caller that can't be seen, as in a bundle, is not looked for at every request. */
  let looks = 3
  const begin = (
    isLeased: boolean,
    input: Parameters<Fetch>[0],
    init: RequestInit | undefined
  ): Promise<Response> | undefined => {
    if (looks > 0) looks = noteCaller() ? 0 : looks - 1
    return isLeased ? send(input, init) : undefined
  }
  const fetch: Fetch = (input, init) =>
    begin(lease.retain(), input, init) ?? Promise.reject(wiring.isClosed() ? closed(place) : released(place))
  // Before an upload the SDKs look for this class here, and if it is missing fetch "data:," to learn it.
  return {
    fetch: Object.assign(fetch, { Response }),
    tryFetch: (input, init) => begin(lease.join(), input, init),
    close: () => {
      isClosing = true
      for (const waiter of waiting) waiter.abort(closed(place))
    }
  }
}
