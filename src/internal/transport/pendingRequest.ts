/**
 * One request on its way: in the queue, sent, its body arriving, done. It owns the request's promise, its timers and
 * its place on the abort signal, and lets go of all of them the moment it is done, from whatever state.
 */
import { AsyncResource } from "node:async_hooks"
import type { ClientHttp2Stream } from "node:http2"
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import type { Expiring, WireRequest, WireResponse } from "../http/types.ts"
import { BodyCore, type BodySource } from "./body.ts"
import { root } from "../util/asyncContext.ts"
import type { Health } from "../overload/health.ts"
import type { Pass } from "../overload/lane.ts"
import type { TenantWaiter } from "./tenantQueue.ts"
import { MAX_TIMEOUT_MS, clearTimeout, performance, setImmediate, setTimeout } from "../util/timers.ts"

/** The connection that a request is on. */
export interface Carrier {
  readonly pause: (pendingRequest: PendingRequest) => void
  readonly resume: (pendingRequest: PendingRequest) => void
  /** Stops a request that has not ended on the wire, because of `error`. */
  readonly abort: (pendingRequest: PendingRequest, error: WireError) => void
}

/** The pool that a request belongs to. */
export interface Owner {
  /** Hears what becomes of those that are sent. */
  readonly health: Health
  /** Somebody waits (1) or has ceased to (-1): while anybody does, the process stays alive. */
  readonly hold: (change: 1 | -1) => void
  /** A queued exchange has given up. */
  readonly gaveUp: (pendingRequest: PendingRequest) => void
  /** It leaves the queue for a connection: for how many ms a connection was being opened for it. */
  readonly connectTime: (pendingRequest: PendingRequest) => number
  /** An exchange that had been sent is done. */
  readonly finished: () => void
}

const queued = 0
const sent = 1
const answered = 2
const done = 3

interface Outcomes {
  readonly resolve: (response: WireResponse) => void
  readonly reject: (error: WireError) => void
}

export class PendingRequest implements BodySource, TenantWaiter, Expiring {
  readonly order: number
  readonly request: WireRequest
  /**
   * The async context of the caller, in which it is dispatched whichever request frees the connection. A resource costs 50 ns,
   * `AsyncLocalStorage.snapshot()` 4 to 11 µs (Node 22 and 24).
   */
  readonly scope = new AsyncResource("clientele.request")
  /** When it was made, by performance.now(). */
  readonly since = performance.now()
  /** When it came to the queue, or came back. */
  queuedAt = this.since
  /** Number of times that it was refused. */
  refusals = 0
  readonly pass: Pass
  /** Its stream, on HTTP/2. */
  stream: ClientHttp2Stream | undefined
  body: BodyCore | undefined
  #state: 0 | 1 | 2 | 3 = queued
  #carrier: Carrier | undefined
  /** Timer of the queue, then of the headers, then of the body. */
  #timer: NodeJS.Timeout | undefined
  /** Milliseconds that it may still wait in the queue, as of `queuedAt`. */
  #patience: number
  /** Kept only where there is a deadline. */
  #sentAt = 0
  readonly #owner: Owner
  /** Dropped when used: it leads to the response, and so to the body's handle. */
  #resolve: ((response: WireResponse) => void) | undefined
  #reject: ((error: WireError) => void) | undefined

  constructor(owner: Owner, order: number, request: WireRequest, pass: Pass, { reject, resolve }: Outcomes) {
    this.#owner = owner
    this.order = order
    this.request = request
    this.pass = pass
    this.#resolve = resolve
    this.#reject = reject
    this.#patience = request.timeouts.queue ?? Infinity
    owner.hold(1)
    request.signal?.addEventListener("abort", this)
    request.outer?.addEventListener("abort", this)
    if (request.deadline !== undefined) request.deadline.underway = this
  }

  get tenant(): object | undefined {
    return this.request.tenant
  }

  /** The abort signals': an object as the listener spares each request a closure. */
  handleEvent(): void {
    const { outer, signal } = this.request
    const reason: unknown = signal?.aborted === true ? signal.reason : outer?.reason
    const processed = this.#state === queued ? "no" : "maybe"
    this.fail(aborted(processed, reason), true)
  }

  /** Its deadline has passed. */
  expire(): void {
    deadlinePassed(this)
  }

  isQueued(): boolean {
    return this.#state === queued
  }

  /** Sent, and no final response headers yet. */
  isSent(): boolean {
    return this.#state === sent
  }

  isDone(): boolean {
    return this.#state === done
  }

  /** It could not be sent at once: from now on its time in the queue counts. */
  waits(): void {
    if (this.#patience > MAX_TIMEOUT_MS || this.#state !== queued || this.#timer !== undefined) return
    this.#timer = setTimeout(queueLate, Math.max(1, this.#patience), this).unref()
  }

  /** It is on this connection now, and its clocks run. */
  dispatched(carrier: Carrier): void {
    if (this.#timer !== undefined) {
      this.#patience -= performance.now() - this.queuedAt
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    this.#state = sent
    this.#owner.health.sent(this.pass)
    this.#carrier = carrier
    const { deadline, timeouts } = this.request
    const left = timeouts.headers - this.#owner.connectTime(this)
    if (left <= MAX_TIMEOUT_MS) this.#timer = setTimeout(headersLate, Math.max(1, left), this).unref()
    if (deadline !== undefined) this.#sentAt = performance.now()
  }

  /** Error with which its deadline of `ms` ends it now, unless it is done. */
  late(ms: number): DeadlinePassed {
    if (this.#state !== sent) return new DeadlinePassed(this.#state === queued ? "no" : "yes", ms)
    return new DeadlinePassed("maybe", ms, performance.now() - this.#sentAt >= ms / 2)
  }

  /** The connection certainly did not deliver it: it goes back to the queue. */
  returned(): void {
    this.#owner.health.returned(this.pass)
    this.#clear()
    this.#state = queued
    this.#carrier = undefined
    this.stream = undefined
    this.queuedAt = performance.now()
    this.waits()
  }

  respond(status: number, headers: WireResponse["headers"]): void {
    if (this.#state !== sent) return
    this.#state = answered
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#owner.hold(-1)
    this.#owner.health.answered(this.pass, status)
    this.body = new BodyCore(this)
    const resolve = this.#resolve
    this.#resolve = this.#reject = undefined
    resolve?.({ status, headers, body: this.body.open() })
  }

  data(chunk: Uint8Array): void {
    if (this.#state === answered) this.body?.push(chunk)
  }

  /** The whole response has arrived. */
  end(): void {
    if (this.#state !== answered) return
    this.#leave()
    this.body?.finish(undefined)
  }

  /** Fails it from whatever state; `drop` also forgets what was read ahead. */
  fail(error: WireError, drop = false): void {
    if (this.#state === done) return
    const was = this.#state
    const carrier = this.#carrier
    this.#leave()
    carrier?.abort(this, error)
    if (was === sent) this.#owner.health.unanswered(this.pass, error)
    else if (was === queued) this.#owner.health.unsent(this.pass, error)
    if (was === answered) this.body?.finish(error, drop)
    else this.#reject?.(error)
  }

  /** The connection has nothing more to do with it, so it can't be aborted there. */
  detach(): void {
    this.#carrier = undefined
  }

  pause(): void {
    this.#carrier?.pause(this)
  }

  resume(): void {
    if (this.#carrier !== undefined) root(resumeOn, this.#carrier, this)
  }

  giveUp(why: string): void {
    this.fail(new WireError("Aborted", "yes", why), true)
  }

  reading(waiting: boolean): void {
    this.#owner.hold(waiting ? 1 : -1)
    if (!waiting || this.#state !== answered) return
    if (this.#timer !== undefined) this.#timer.refresh()
    else if (this.request.timeouts.body <= MAX_TIMEOUT_MS) {
      this.#timer = setTimeout(bodyLate, this.request.timeouts.body, this).unref()
    }
  }

  #leave(): void {
    const was = this.#state
    this.#state = done
    this.#clear()
    this.#carrier = undefined
    this.request.signal?.removeEventListener("abort", this)
    this.request.outer?.removeEventListener("abort", this)
    const { deadline } = this.request
    if (deadline?.underway === this) deadline.underway = undefined
    if (was < answered) this.#owner.hold(-1)
    this.scope.emitDestroy()
    if (was === queued) this.#owner.gaveUp(this)
    else this.#owner.finished()
  }

  #clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/**
 * Without a stack, which would only lead to the abort listener: it costs more than all else that a cancelled request does,
 * and a hundred thousand may be cancelled at once.
 */
const aborted = (processed: "no" | "maybe", reason: unknown): WireError => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return new WireError("Aborted", processed, "the request was aborted", reason)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

const resumeOn = (carrier: Carrier, pendingRequest: PendingRequest): void => carrier.resume(pendingRequest)

/** The headers as they go out now. */
export const sealed = ({ headers, seal }: WireRequest): WireRequest["headers"] =>
  seal === undefined ? headers : seal(headers)

/**
 * After the event loop was blocked timers that have passed run first, and only then is read what has arrived meanwhile. So
 * each of them looks again when that has been read, and a turn later: a socket that turns out to be reset closes after all
 * that.
 */
export const whenRead = (look: () => void): void => void setImmediate(() => setImmediate(look))

const unlessArrived =
  (then: (pendingRequest: PendingRequest) => void) =>
  (pendingRequest: PendingRequest): void =>
    whenRead(() => then(pendingRequest))

const queueLate = unlessArrived((pendingRequest) => {
  if (!pendingRequest.isQueued()) return
  pendingRequest.fail(new WireError("QueueTimeout", "no", "it waited longer than queueTimeout for a socket"))
})

const headersLate = unlessArrived((pendingRequest) => {
  if (!pendingRequest.isSent()) return
  const ms = pendingRequest.request.timeouts.headers
  pendingRequest.fail(new WireError("Timeout", "maybe", `no response headers within ${ms} ms`))
})

/** Refreshed whenever a read begins to wait, so that whoever waits now has waited all that time. */
const bodyLate = (pendingRequest: PendingRequest): void => {
  const read = pendingRequest.body?.pending
  if (read !== undefined) whenRead(() => bodyOver(pendingRequest, read))
}

const bodyOver = (pendingRequest: PendingRequest, read: object): void => {
  if (pendingRequest.body?.pending !== read) return
  pendingRequest.fail(
    new WireError("Timeout", "yes", `no body chunk within ${pendingRequest.request.timeouts.body} ms`)
  )
}

const deadlinePassed = unlessArrived((pendingRequest) => {
  const { deadline } = pendingRequest.request
  if (deadline !== undefined && !pendingRequest.isDone()) pendingRequest.fail(pendingRequest.late(deadline.ms), true)
})
