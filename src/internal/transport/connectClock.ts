/**
 * Counts the time in which a connection is being opened for a queued request against its `timeouts.headers`. A request has
 * its turn while the pool has no lane and opens one (or pauses between two dials), or while it is among the first that the
 * connections now being opened will carry. Waiting for busy sockets, or for room on a session, does not count.
 *
 * One timer serves the whole queue: where a lane is free, a request costs nothing here.
 */
import { root } from "../util/asyncContext.ts"
import { type PendingRequest, whenRead } from "./pendingRequest.ts"
import type { TenantQueue } from "./tenantQueue.ts"
import { MAX_TIMEOUT_MS, clearTimeout, performance, setTimeout } from "../util/timers.ts"

/** The pool. */
export interface Connecting {
  readonly queue: TenantQueue<PendingRequest>
  /** Number of queued requests that the connections being opened will carry; Infinity for all there are. */
  readonly carried: () => number
  /** These have had all their time. */
  readonly unconnected: (late: ReadonlyArray<PendingRequest>) => void
}

/** Shortest time, in ms, between two looks through the queue. */
const LOOK_INTERVAL_MS = 5

/** Time, in ms, after which an update looks again for requests that have moved up to the first few. */
const MOVE_INTERVAL_MS = 100

export class ConnectClock {
  readonly #pool: Connecting
  /** Since when connections are being opened for the whole queue. */
  #since: number | undefined
  /** When the turn of single requests began, where there are connections for some only. */
  #few = new Map<PendingRequest, number>()
  #carried = 0
  #lookedAt = 0
  /** The shortest timeout of this queue. */
  #shortest = Infinity
  #timer: NodeJS.Timeout | undefined
  #due = Infinity

  constructor(pool: Connecting) {
    this.#pool = pool
  }

  /** One more waits. */
  joined(exchange: PendingRequest): void {
    const { headers } = exchange.request.timeouts
    if (headers < this.#shortest) this.#shortest = headers
    if (this.#since !== undefined) this.#arm(exchange.queuedAt + headers)
  }

  /** Ends the clock of a request, and returns for how many ms it has run. */
  take(exchange: PendingRequest): number {
    const since = this.#sinceOf(exchange)
    if (since === undefined) return 0
    this.#few.delete(exchange)
    return performance.now() - since
  }

  /** The queue has changed, or the connections that are being opened. */
  update(): void {
    const { size } = this.#pool.queue
    if (size === 0) return this.stop()
    const carried = this.#pool.carried()
    if (carried >= size) return this.#all()
    // Others move up as lanes that are busy take requests.
    const isOld = carried > 0 && performance.now() - this.#lookedAt > MOVE_INTERVAL_MS
    if (this.#since !== undefined || carried !== this.#carried || isOld) this.#some(carried)
  }

  stop(): void {
    if (this.#since === undefined && this.#shortest === Infinity && this.#few.size === 0) return
    clearTimeout(this.#timer)
    this.#timer = this.#since = undefined
    this.#due = this.#shortest = Infinity
    this.#carried = 0
    this.#few.clear()
  }

  #all(): void {
    if (this.#since !== undefined) return
    this.#since = performance.now()
    this.#arm(this.#since + this.#shortest)
  }

  #some(carried: number): void {
    const now = (this.#lookedAt = performance.now())
    const few = new Map<PendingRequest, number>()
    for (const exchange of carried === 0 ? [] : this.#pool.queue.first(carried)) {
      const since = this.#sinceOf(exchange) ?? now
      few.set(exchange, since)
      this.#arm(since + exchange.request.timeouts.headers)
    }
    this.#few = few
    this.#carried = carried
    this.#since = undefined
  }

  #sinceOf(exchange: PendingRequest): number | undefined {
    const own = this.#few.size === 0 ? undefined : this.#few.get(exchange)
    if (own !== undefined || this.#since === undefined) return own
    return Math.max(this.#since, exchange.queuedAt)
  }

  #arm(at: number): void {
    if (at >= this.#due) return
    const ms = Math.max(1, Math.ceil(at - performance.now()))
    if (ms > MAX_TIMEOUT_MS) return
    clearTimeout(this.#timer)
    this.#due = at
    this.#timer = root(setTimeout, () => whenRead(this.#look), ms).unref()
  }

  #look = (): void => {
    this.#due = Infinity
    const now = performance.now()
    const late: Array<PendingRequest> = []
    let next = Infinity
    for (const exchange of this.#since === undefined ? this.#few.keys() : this.#pool.queue.all()) {
      const since = exchange.isQueued() ? this.#sinceOf(exchange) : undefined
      if (since === undefined) continue
      const at = since + exchange.request.timeouts.headers
      if (at <= now) late.push(exchange)
      else next = Math.min(next, at)
    }
    this.#arm(Math.max(next, now + LOOK_INTERVAL_MS))
    if (late.length > 0) this.#pool.unconnected(late)
  }
}
