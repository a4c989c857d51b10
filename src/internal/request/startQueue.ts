/**
 * The line of one tenant's agents whose callbacks have not started, and of the requests that came after them. An agent that
 * would only wait for a socket, or for its quota, starts when those ahead of it have gone: until then it holds a few
 * hundred bytes, and not an SDK's call. First come first served, as in the queues below: whoever starts takes the place of
 * its arrival there.
 *
 * Nobody is counted who does not wait for a socket or a permit, so a callback that waits for something else, such as
 * another agent of the same line, never holds the line up. Nor does a provider that can't be reached.
 */
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import type { TurnedAway } from "../quota/turnedAway.ts"
import { queueFull } from "../transport/backlog.ts"
import { tooManyWaiters } from "../quota/modelLimiter.ts"
import { root } from "../util/asyncContext.ts"
import type { Ticker } from "../util/ticker.ts"
import { queueMicrotask, setImmediate } from "../util/timers.ts"
import { RequestQueue, type Waiter } from "../util/waitQueue.ts"

/** Started requests of a tenant that may wait: more than sockets come free before others have started. */
const MAX_WAITING = 64
/** The same where tenants are many, and those that wait for the sockets of a pool in all. */
const MIN_WAITING = 4
const MAX_WAITING_IN_POOL = 1_024

/** Quotas count by model, and only a callback that has started tells its model. So long two models in use are remembered. */
const MODELS_MEMORY_MS = 600_000
/** Between two starts of the latest agent while the quota of one model holds the line up: it may ask another. */
const PROBE_INTERVAL_MS = 50

/** Resource that a start has waited for. */
type Resource = "socket" | "quota"

/** An agent or a request in line. */
export interface Starter extends Waiter {
  /** The client, whose closing fails it. */
  readonly owner: object
  /** Time at which it came, of the queue's ticker. */
  readonly since: number
  /** True for a callback that has not started, of which no model is known. */
  readonly isAgent: boolean
  /** Set by the queue. */
  isWaiting: boolean
  waitsFor: Resource
  /** Its turn has come. Must not throw. */
  start(start: Start): void
  fail(error: unknown): void
}

/** The options that bound a queue. */
export interface StartBounds {
  readonly origin: string
  /** The option `transport.maxQueue`. */
  readonly maxQueue: number
  /** The option `quota.maxWaiters`. */
  readonly maxWaiters: number
}

/** One turn of the event loop, in which callbacks that have started send their first requests. */
interface Turn {
  isOver: boolean
}

/** The wait that led to a start. */
export interface StartFacts {
  /** Place among all requests of the process. */
  readonly order: number
  readonly waitedMs: number
  readonly waitedFor: Resource
  /** Its turn has not come: it was started for its model to be known. */
  readonly isEarly: boolean
  /** It had a place in line, which its request takes again whatever the bounds. */
  readonly isAdmitted: boolean
}

/** The leave of a call to send: its first request, and those of the same turn, have waited for their start already. */
export class Start {
  readonly facts: StartFacts
  readonly #queue: StartQueue
  readonly #turn: Turn
  #isUsed = false

  constructor(queue: StartQueue, turn: Turn, facts: StartFacts) {
    this.#queue = queue
    this.#turn = turn
    this.facts = facts
  }

  /** Returns this for a request that need not wait in that queue. */
  take(queue: StartQueue | undefined): Start | undefined {
    if (queue !== this.#queue || (this.#isUsed && this.#turn.isOver)) return undefined
    this.end()
    return this
  }

  /** It has sent a request, or will not. */
  end(): void {
    if (this.#isUsed) return
    this.#isUsed = true
    if (!this.#turn.isOver) this.#queue.ended()
  }
}

/** Counts of all tenants of a pool. */
interface PoolCounts {
  /** Started requests that wait for a socket. */
  waiting: number
  /** Agents and requests in line for one. */
  lined: number
}

export class StartQueue {
  readonly #ticker: Ticker
  readonly #pool: PoolCounts
  readonly #line = new RequestQueue<Starter>()
  /** Started requests that wait. */
  #forSocket = 0
  #forQuota = 0
  /** Callbacks that have started in this turn, and have sent no request yet. */
  #starting = 0
  #turn: Turn | undefined
  /** The last request that waited for a socket got none, for a failure. */
  #isFailing = false
  #model: string | undefined
  #isMixedUntil = -Infinity
  #isPumping = false
  #cancelProbe: (() => void) | undefined

  constructor(ticker: Ticker, pool: PoolCounts) {
    this.#ticker = ticker
    this.#pool = pool
  }

  /** Agents and requests in line. */
  get size(): number {
    return this.#line.size
  }

  /** True if an agent that comes now has to stand in line. */
  isBusy(): boolean {
    return this.#line.size > 0 || this.#full() !== undefined
  }

  /** Starts one that need not wait. */
  begin(order: number): Start {
    return this.#begin({ order, waitedMs: 0, waitedFor: "socket", isEarly: false, isAdmitted: true })
  }

  /** True if a request has to stand in line, whose call has started with `start`. */
  holds(start: StartFacts | undefined): boolean {
    return this.#line.size > 0 && (start === undefined || (start.isEarly && !this.#isMixed()))
  }

  /**
   * Inserts by order. Returns the error of one that must not wait, since too many do; without bounds none must not. An agent
   * for whose quota too many wait starts, as only its callback tells its model: its request may be refused.
   */
  join(starter: Starter, bounds: StartBounds | undefined): WireError | TurnedAway | undefined {
    const full = this.#full()
    starter.waitsFor = full ?? "socket"
    const error = bounds === undefined ? undefined : this.#refusal(full, bounds)
    if (error !== undefined) {
      if (full !== "quota" || !starter.isAgent) return error
      this.#start(starter, true, false)
      return undefined
    }
    starter.isWaiting = true
    this.#line.insert(starter)
    if (starter.waitsFor === "socket") this.#pool.lined++
    if (full === undefined) this.#pumpSoon()
    else this.#watch()
    return undefined
  }

  /** It gives up. */
  leave(starter: Starter): void {
    this.#left(starter)
    this.#line.gaveUp()
    this.#watch()
  }

  /** Fails all of a client. */
  close(owner: object, error: unknown): void {
    for (const starter of this.#line.all()) {
      if (starter.owner !== owner) continue
      this.leave(starter)
      starter.fail(error)
    }
  }

  // Requests that have started.

  /** A request for this model. */
  sees(model: string): void {
    if (model === this.#model) return
    if (this.#model !== undefined) this.#isMixedUntil = this.#ticker.now() + MODELS_MEMORY_MS
    this.#model = model
    if (this.#line.size > 0) this.#pumpSoon()
  }

  /** One more waits for its quota, or one less. */
  forQuota(change: 1 | -1): void {
    this.#forQuota += change
    if (change < 0 && this.#line.size > 0) this.#pumpSoon()
  }

  /** One more waits for a socket, or one less. */
  forSocket(change: 1 | -1): void {
    this.#forSocket += change
    this.#pool.waiting += change
    if (change < 0 && this.#line.size > 0) this.#pumpSoon()
  }

  /** One that waited for a socket has got it. */
  sent(): void {
    this.#isFailing = false
    this.forSocket(-1)
  }

  /** One that waited for a socket has got none. */
  unsent(error: unknown): void {
    if (isFailure(error)) this.#isFailing = true
    this.forSocket(-1)
  }

  /** A callback that was starting has sent its request, or ended. */
  ended(): void {
    this.#starting--
  }

  /** The resource for which those that wait are too many. */
  #full(): Resource | undefined {
    // All of a crowd share one verdict on a provider that can't be reached.
    if (this.#isFailing) return undefined
    const most = this.#pool.waiting > MAX_WAITING_IN_POOL ? MIN_WAITING : MAX_WAITING
    const waiting = this.#forSocket + this.#starting
    if (waiting >= most) return "socket"
    return waiting + this.#forQuota < MAX_WAITING || this.#isMixed() ? undefined : "quota"
  }

  /** True if not all who come wait for the quota of the same model. */
  #isMixed(): boolean {
    return this.#isMixedUntil > -Infinity && this.#isMixedUntil > this.#ticker.now()
  }

  #refusal(full: Resource | undefined, { maxQueue, maxWaiters, origin }: StartBounds) {
    if (full === undefined) return undefined
    const waiting = this.#pool.waiting + this.#pool.lined
    if (full === "socket") return waiting < maxQueue ? undefined : queueFull(origin, waiting, maxQueue)
    const ofModel = this.#forQuota + this.#line.size
    return ofModel < maxWaiters ? undefined : tooManyWaiters(ofModel, maxWaiters)
  }

  #begin(facts: StartFacts): Start {
    this.#starting++
    if (this.#turn === undefined) {
      this.#turn = { isOver: false }
      root(setImmediate, this.#endTurn)
    }
    return new Start(this, this.#turn, facts)
  }

  /** Callbacks that have sent nothing by now wait for something else. */
  readonly #endTurn = (): void => {
    if (this.#turn !== undefined) this.#turn.isOver = true
    this.#turn = undefined
    this.#starting = 0
    this.#pump()
  }

  #pumpSoon(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    root(queueMicrotask, this.#pump)
  }

  /** Starts those whose turn has come. */
  readonly #pump = (): void => {
    this.#isPumping = false
    for (let next = this.#line.peek(); next !== undefined && this.#full() === undefined; next = this.#line.peek()) {
      this.#left(next)
      this.#line.shift()
      this.#start(next, false)
    }
    this.#watch()
  }

  #start(starter: Starter, isEarly: boolean, isAdmitted = true): void {
    const { order, since, waitsFor: waitedFor } = starter
    const waitedMs = Math.max(0, this.#ticker.now() - since)
    starter.start(this.#begin({ order, waitedMs, waitedFor, isEarly, isAdmitted }))
  }

  #left(starter: Starter): void {
    starter.isWaiting = false
    if (starter.waitsFor === "socket") this.#pool.lined--
  }

  /** While the quota of a model holds up the line, others are looked for in it. */
  #watch(): void {
    if (this.#line.size > 0 && this.#full() === "quota") {
      this.#cancelProbe ??= root(this.#ticker.after, PROBE_INTERVAL_MS, this.#probe, false)
      return
    }
    this.#cancelProbe?.()
    this.#cancelProbe = undefined
  }

  /** Starts the latest agent. If it asks for the same model, its request goes back to its place in line. */
  readonly #probe = (): void => {
    this.#cancelProbe = undefined
    const latest = this.#full() === "quota" ? this.#line.latest(isAgent) : undefined
    if (latest !== undefined) {
      this.#left(latest)
      this.#line.gaveUp()
      this.#start(latest, true)
    }
    this.#watch()
  }
}

const isAgent = ({ isAgent }: Starter): boolean => isAgent

/** True if others would fare no better. */
const isFailure = (error: unknown): boolean =>
  error instanceof WireError &&
  !(error instanceof DeadlinePassed) &&
  (error.reason === "Connection" ||
    error.reason === "Timeout" ||
    error.reason === "FileDescriptors" ||
    error.reason === "Untrusted")

interface OfPool {
  readonly counts: PoolCounts
  readonly byTenant: WeakMap<object, StartQueue>
}

const pools = new WeakMap<object, OfPool>()

/** The queue of a tenant of a pool. Both are compared by reference. */
export const startQueueOf = (pool: object, tenant: object, ticker: Ticker): StartQueue => {
  let ofPool = pools.get(pool)
  if (ofPool === undefined) pools.set(pool, (ofPool = { counts: { waiting: 0, lined: 0 }, byTenant: new WeakMap() }))
  let queue = ofPool.byTenant.get(tenant)
  if (queue === undefined) ofPool.byTenant.set(tenant, (queue = new StartQueue(ticker, ofPool.counts)))
  return queue
}
