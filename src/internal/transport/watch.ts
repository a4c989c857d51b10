/**
 * A pool's clock: one interval that looks after lanes, and that alone keeps the process alive, only while a request
 * waits for a socket, for headers, or in a read.
 */
import { WireError } from "../wire/errors.ts"
import { root } from "../util/asyncContext.ts"
import type { PendingRequest } from "./pendingRequest.ts"
import type { Connection } from "./connection.ts"
import type { Settings, Starved } from "./options.ts"
import type { TenantQueue } from "./tenantQueue.ts"
import { clearInterval, performance, setInterval } from "../util/timers.ts"

/** A pool, as its clock sees it. */
export interface Watched {
  readonly settings: Settings
  readonly queue: TenantQueue<PendingRequest>
  readonly lanes: ReadonlySet<Connection>
  readonly pump: () => void
  /** The bound that keeps the pool from opening another lane, if one does. */
  readonly bound: () => Pick<Starved, "bound" | "limit"> | undefined
  /** Since when another pool has waited for a socket. */
  readonly othersWaitSince: () => number | undefined
  /** Time since which the server has allowed no streams, on any session; `undefined` if it does, or may yet. */
  readonly barredSince: () => number | undefined
}

export class Watch {
  readonly #pool: Watched
  readonly #every: number
  #interval: NodeJS.Timeout | undefined
  #waiting = 0
  #told = false

  constructor(pool: Watched) {
    this.#pool = pool
    const { keepAlive, maxConnectionAge, pingInterval, starvedAfter, unreadTimeout } = pool.settings
    const shortest = Math.min(keepAlive, maxConnectionAge, pingInterval, starvedAfter, unreadTimeout)
    this.#every = Math.max(10, Math.min(250, shortest / 4))
  }

  /** True while anything waits: for a socket, for headers, in a read, or for the pool to close. */
  get held(): boolean {
    return this.#waiting > 0
  }

  hold(change: 1 | -1): void {
    const before = this.#waiting
    this.#waiting += change
    if (before === 0) this.start().ref()
    else if (this.#waiting === 0) this.#interval?.unref()
  }

  start(): NodeJS.Timeout {
    if (this.#interval === undefined) {
      this.#interval = root(setInterval, this.#tick, this.#every)
      if (this.#waiting === 0) this.#interval.unref()
    }
    return this.#interval
  }

  stop(): void {
    clearInterval(this.#interval)
    this.#interval = undefined
  }

  #tick = (): void => {
    const now = performance.now()
    const { lanes, queue } = this.#pool
    for (const lane of lanes) {
      for (const exchange of lane.exchanges()) exchange.body?.guard()
      if (now >= lane.expiresAt) lane.retire()
      lane.tick(now)
    }
    const head = queue.oldest()
    if (head !== undefined) {
      this.#barred(now)
      this.#starved(now - head.since)
      this.#unread(now, head.since, queue.size)
      this.#pool.pump()
    } else {
      const since = this.#pool.othersWaitSince()
      if (since !== undefined) this.#unread(now, since, 1)
      if (this.#waiting === 0 && lanes.size === 0) this.stop()
    }
  }

  /** A server that allows no streams is treated like one that does not answer. */
  #barred(now: number): void {
    const { connectTimeout, origin } = this.#pool.settings
    const since = this.#pool.barredSince()
    if (since === undefined || now - since <= connectTimeout) return
    for (const exchange of this.#pool.queue.all()) {
      if (now - exchange.since <= connectTimeout) continue
      exchange.fail(new WireError("Timeout", "no", `${origin} has allowed no streams for ${connectTimeout} ms`))
    }
  }

  #starved(waited: number): void {
    const { onStarved, origin, starvedAfter } = this.#pool.settings
    if (this.#told || onStarved === undefined || waited <= starvedAfter) return
    const bound = this.#pool.bound()
    if (bound === undefined) return
    this.#told = true
    onStarved({ ...bound, origin, queued: this.#pool.queue.size, waited })
  }

  /** Cuts unread bodies that hold sockets for which others have waited: the oldest first. */
  #unread(now: number, since: number, most: number): void {
    const { unreadTimeout } = this.#pool.settings
    if (now - since < unreadTimeout || (this.#pool.queue.size > 0 && this.#pool.bound() === undefined)) return
    const unread: Array<{ readonly exchange: PendingRequest; readonly pausedAt: number }> = []
    for (const lane of this.#pool.lanes) {
      for (const exchange of lane.exchanges()) {
        const { body } = exchange
        if (body === undefined || body.touched || body.pausedAt === undefined) continue
        if (now - body.pausedAt >= unreadTimeout) unread.push({ exchange, pausedAt: body.pausedAt })
      }
    }
    unread.sort((a, b) => a.pausedAt - b.pausedAt)
    for (const { exchange } of unread.slice(0, most)) {
      const why = `the body was unread for ${unreadTimeout} ms while other requests waited for its socket`
      exchange.fail(new WireError("Aborted", "yes", why), true)
    }
  }
}
