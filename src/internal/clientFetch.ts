/**
 * The `fetch` that an SDK client is given: everything that coordinates agents sits here, below the SDK and above the
 * sockets, so it holds on every road. One request: lease, credential, quota, retries, transport. The lease and the
 * permit last as long as the body. Plain promises: this is the path of every request.
 */
import * as Equal from "effect/Equal"
import type * as Redacted from "effect/Redacted"
import { PoolError, RequestError } from "../ClientError.ts"
import type { Handle } from "../LeaseMap.ts"
import type * as Accounts from "./accounts.ts"
import * as Attempts from "./attempts.ts"
import * as CallContext from "./callContext.ts"
import * as Failure from "./failure.ts"
import { type Exchange, exchange, prepare } from "./fetch/exchange.ts"
import { noteCaller } from "./malformed.ts"
import { type Outlet, ownOf } from "./outlet.ts"
import { Demand } from "./quota/demand.ts"
import { isRefusal, type Permit } from "./quota/permit.ts"
import { TurnedAway } from "./quota/turnedAway.ts"
import * as Usage from "./quota/usage.ts"
import * as Refusal from "./refusal.ts"
import * as Retry from "./retry.ts"
import { type Authorize, fillIn } from "./secrets.ts"
import { sleep, type Ticker } from "./ticker.ts"
import type { Transport } from "../Transport.ts"
import { type Timeouts, WireError } from "./wire.ts"

export interface Wiring {
  readonly place: Failure.Place
  readonly transport: Pick<Transport, "origin" | "pool">
  /** One for each credential, of which there is at least one. */
  readonly accounts: Accounts.Accounts
  readonly authorize: Authorize | undefined
  /** The configured headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly lease: Pick<Handle, "retain" | "release">
  /** Whether the client layer has been closed, which ends all leases. */
  readonly isClosed: () => boolean
  readonly timeouts: Timeouts
  readonly maxRetries: number
  readonly maxRetryAfter: number
  readonly queueTimeout: number
  readonly ticker: Ticker
  /** Called with +1 and -1 as requests come and go. */
  readonly count: (change: 1 | -1) => void
}

type Fetch = typeof globalThis.fetch

/** What can't be sent at all is refused here, where its field can still be named. */
const unsendable = (place: Failure.Place, cause: unknown): RequestError => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new RequestError({ ...place, reason: "BadRequest", detail, processed: "no", attempts: 0, cause })
}

/**
 * While a request with a permit waited for a socket the gate closed, or its secret expired: it goes back, to its old
 * place in the line.
 */
const recalled = new WireError("Aborted", "no", "it had better not be sent yet")

/** One attempt that may be made. */
interface Admission {
  readonly account: Accounts.Account
  readonly permit: Permit
  /** The last that is known; what an answer refuses is what was sent. */
  secret: Redacted.Redacted
}

/** Whether there is another secret than the one that was refused. If it can't be had, the 401 says more than that. */
const renew = async ({ account, secret }: Admission, signal: AbortSignal | undefined): Promise<boolean> => {
  const { secrets } = account
  if (!secrets.refused(secret)) return false
  try {
    return !Equal.equals(secrets.peek() ?? (await secrets.load(signal)), secret)
  } catch (error) {
    if (signal?.aborted === true) throw error
    return false
  }
}

/** What the answer really cost, if it says so; else the estimate stands. */
const settle = (permit: Permit, meter: Usage.Meter): void => {
  const total = meter.total()
  if (total !== undefined) permit.settle(total, meter.output())
}

/** What a refusal of the whole credential tells those who wait for it. */
const refused = (reason: "QuotaExceeded" | "Authentication") => () =>
  new TurnedAway(
    reason,
    reason === "QuotaExceeded"
      ? "the provider told another request of this credential that the account's quota is used up; this one was not sent"
      : "the provider refused the credential of another request; this one was not sent"
  )

/** Whose business an answer is, if it is that of the credential. */
const concern = (status: number, code: unknown): "QuotaExceeded" | "Authentication" | undefined =>
  status === 401 ? "Authentication" : code === "insufficient_quota" ? "QuotaExceeded" : undefined

export interface Closeable extends Outlet {
  /** Whoever waits for anything but a socket fails, now and later. */
  readonly close: () => void
}

export const make = (wiring: Wiring): Closeable => {
  const { accounts, lease, maxRetryAfter, place, queueTimeout, ticker } = wiring
  const { origin, pool } = wiring.transport
  const recorder = Attempts.make(place.provider)

  // No one signal for all: what joins a signal is held by it for as long as it lives.
  const waiting = new Set<AbortController>()
  let isClosing = false

  /** Waits for a permit, which may take longer than a token lives. */
  const wait = async (
    account: Accounts.Account,
    demand: Demand,
    timeout: number,
    signal: AbortSignal | undefined
  ): Promise<Admission | undefined> => {
    const since = ticker.now()
    const permit = await account.quota.enter(demand, { signal, maxRetryAfter, timeout, movable: accounts.isPool })
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
    // The loop holds the lease, and so does each attempt until its body has ended.
    let holds = 1
    const letGo = (): void => {
      if (--holds === 0) {
        wiring.count(-1)
        lease.release()
      }
    }
    wiring.count(1)
    const call = CallContext.current()
    const own = ownOf(init)
    const maxRetries = own?.maxRetries ?? wiring.maxRetries
    // To its caller its own timeout is how long it may take to the headers, waiting for its turn included.
    const patience = Math.min(queueTimeout, own?.timeout ?? Infinity)
    const timeouts = own?.timeout === undefined ? wiring.timeouts : { ...wiring.timeouts, headers: own.timeout }
    let attempts = 0
    let reloaded = false
    let waiter: AbortController | undefined

    /**
     * One attempt: an answer, whatever its status, or a WireError. The permit is given back with its body, but that of an
     * error only when it has been read: until then nobody knows whether the next had better not be sent.
     */
    const attempt = async (request: Exchange, admission: Admission, queue: number): Promise<Response> => {
      const { account, permit } = admission
      attempts++
      holds++
      let open: WeakRef<Response> | undefined
      let over = false
      let sent = false
      let told = false
      let kept = false
      const meter = permit.tokens > 0 ? Usage.makeMeter() : undefined
      const ended = (outcome: Attempts.Outcome, status: number | undefined) => {
        told = true
        recorder.ended(call?.span, attempts, outcome, status, ticker.now() - permit.sentAt)
      }
      try {
        const response = await exchange(pool, request, {
          timeouts: queue === Infinity ? timeouts : { ...timeouts, queue },
          signal: call?.signal,
          // What was good when it was let through may have changed until it has a socket.
          seal: (headers) => {
            sent = true
            permit.sentAt = ticker.now()
            return fillIn(
              headers,
              wiring.headers,
              (admission.secret = account.secrets.peek() ?? admission.secret),
              wiring.authorize
            )
          },
          recall: () => {
            if (permit.isOutdated) return recalled
            // Once: a secret may live shorter than the wait for a socket takes.
            if (reloaded || !account.secrets.isOver()) return undefined
            reloaded = true
            return recalled
          },
          onHead: (status, headers) => {
            permit.answered(status, headers)
            if (status >= 400) {
              kept = true
              // Providers count no tokens for what they refuse.
              permit.settle(0, undefined)
            }
            ended(Attempts.outcomeOfStatus(status), status)
          },
          ...(meter !== undefined && { tap: meter.chunk, onTapped: () => settle(permit, meter) }),
          onEnd: () => {
            over = true
            if (open !== undefined) call!.open!.delete(open)
            if (!kept) permit.leave()
            letGo()
          }
        })
        if (call !== undefined) {
          call.attempts = attempts
          if (response.status < 400 && !over) (call.open ??= new Set()).add((open = new WeakRef(response)))
        }
        return response
      } catch (error) {
        // The body of an error was cut: there is nothing of it to be read.
        if (kept) permit.leave()
        // What is no WireError is the reason with which the caller aborted it.
        if (error instanceof WireError ? error.processed === "no" : !sent) permit.refund()
        if (error === recalled) attempts--
        else if (!told) ended(error instanceof WireError ? Attempts.outcomeOfError(error) : "aborted", undefined)
        throw error
      }
    }

    try {
      let request: Exchange
      try {
        const prepared = prepare(input, init)
        request = prepared instanceof Promise ? await prepared : prepared
      } catch (cause) {
        throw unsendable(place, cause)
      }
      if (request.origin !== origin) throw elsewhere(place, origin, request.origin)
      const demand = new Demand(request)
      const repeatable = Retry.repeatable(request.method, request.path, request.headers)
      let joined: AbortSignal | undefined
      /** The caller's own, the call's, and that of the client: for those who have to wait. */
      const signal = (): AbortSignal => {
        if (joined !== undefined) return joined
        waiting.add((waiter = new AbortController()))
        if (isClosing) waiter.abort(closed(place))
        const all = [request.signal, call?.signal, waiter.signal].filter((one) => one !== undefined)
        return (joined = AbortSignal.any(all))
      }
      const retries = new Retry.Retries(request.replayable ? maxRetries : 0, maxRetryAfter)
      let renewed = false
      let passedOn = 0
      let counted = false
      let until: number | undefined
      for (;;) {
        const account = accounts.choose(demand)
        const { quota } = account
        const secret = account.secrets.peek() ?? (await account.secrets.load(signal()))
        // Each attempt has the whole of it, for its turn, in however many lines, and then for a socket.
        until ??= patience === Infinity ? Infinity : ticker.now() + patience
        const permit = quota.tryEnter(demand)
        const admission =
          permit === undefined
            ? await wait(account, demand, until - ticker.now(), signal())
            : { account, permit, secret }
        // The gate closed while it waited, and another credential may be open.
        if (admission === undefined) continue
        if (!counted) quota.retries.request()
        counted = true
        let pause: number | undefined
        let outcome: Attempts.Outcome
        try {
          const response = await attempt(request, admission, until - ticker.now())
          if (response.status < 400) return response
          outcome = Attempts.outcomeOfStatus(response.status)
          let answer: Response
          try {
            const refusal = await Refusal.read(response, admission.secret, attempts)
            answer = refusal.response
            const whose = concern(response.status, refusal.code)
            if (whose === undefined) {
              // A gate that has closed holds the next attempt back by itself, in its place in the line.
              const isHeld = isRefusal(response.status)
              const delay = retries.afterResponse(response, repeatable, quota.retries, isHeld && accounts.isPool)
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
          } finally {
            admission.permit.leave()
          }
          if (pause === undefined) return answer
        } catch (error) {
          if (error === recalled) continue
          if (!(error instanceof WireError)) throw error
          outcome = Attempts.outcomeOfError(error)
          pause = retries.afterError(error, repeatable, quota.retries)
          if (pause === undefined) throw error
        }
        recorder.retry(call?.span, attempts, outcome, pause)
        until = undefined
        if (pause > 0) await sleep(ticker, pause, signal())
      }
    } catch (error) {
      const failure =
        error instanceof WireError
          ? Failure.fromWire(place, error, attempts)
          : error instanceof TurnedAway
            ? Failure.fromTurnedAway(place, error, attempts)
            : error
      if (call !== undefined && (failure instanceof PoolError || failure instanceof RequestError))
        call.failure = failure
      throw failure
    } finally {
      if (waiter !== undefined) waiting.delete(waiter)
      letGo()
    }
  }

  /** A caller that can't be seen, as in a bundle, is not looked for at every request. */
  let looks = 3
  const tryFetch: Outlet["tryFetch"] = (input, init) => {
    if (looks > 0) looks = noteCaller() ? 0 : looks - 1
    return lease.retain() ? send(input, init) : undefined
  }
  const fetch: Fetch = (input, init) =>
    tryFetch(input, init) ?? Promise.reject(wiring.isClosed() ? closed(place) : released(place))
  // Before an upload the SDKs look for this class here, and if it is missing fetch "data:," to learn it.
  return {
    fetch: Object.assign(fetch, { Response }),
    tryFetch,
    close: () => {
      isClosing = true
      for (const waiter of waiting) waiter.abort(closed(place))
    }
  }
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
