/**
 * The bound on the sockets of all pools together. A pool that finds it used up first has another pool's idle socket
 * closed; failing that it stands in line, and whoever holds least is served first.
 */
import { readFileSync } from "node:fs"
import { performance, queueMicrotask } from "../time/timers.ts"
import { fetchRuntime } from "./runtime/runtime.ts"

/** What the budget asks of a pool. */
export interface BudgetUser {
  /** Sockets it holds. */
  readonly held: () => number
  /** Since when its least recently used idle socket has been idle, `undefined` if none is. */
  readonly idleSince: () => number | undefined
  readonly closeIdle: () => void
  /** Its turn: it opens one socket, whose place is already taken for it, or returns false. */
  readonly offer: () => boolean
}

/** How long, in ms, a pool keeps a socket busy while pools without any wait. */
const turn = 250

let softLimit: number | undefined

/**
 * Half of the descriptors that this process may open, and 512 at most, or what the runtime's own `fetch` sends at once;
 * elsewhere than on Linux without the descriptors.
 */
export const defaultMaxSockets = (): number => {
  if (softLimit === undefined) {
    softLimit = Infinity
    try {
      const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]
      if (soft !== undefined) softLimit = Number(soft)
    } catch {
      // No procfs: not Linux.
    }
  }
  return Math.max(1, Math.min(512, fetchRuntime?.maxRequests ?? Infinity, Math.floor(softLimit / 2)))
}

export class SocketBudget {
  readonly limit: number
  #used = 0
  /** Idle sockets that were asked to close and have not yet. */
  #closing = 0
  readonly #pools = new Set<BudgetUser>()
  /** In line, with the time since when. */
  readonly #line = new Map<BudgetUser, number>()

  constructor(maxSockets: number = defaultMaxSockets()) {
    this.limit = maxSockets
  }

  get used(): number {
    return this.#used
  }

  /** Takes a place, or puts the pool in line for one. */
  take(pool: BudgetUser): boolean {
    if (this.#line.has(pool)) return false
    this.#pools.add(pool)
    if (this.#used < this.limit && this.#line.size === 0) {
      this.#used++
      return true
    }
    this.#line.set(pool, performance.now())
    // Not now: the pool is in the midst of counting what it needs.
    queueMicrotask(this.#settle)
    return false
  }

  /** A socket has closed. */
  release(pool: BudgetUser): void {
    this.#used--
    if (this.#closing > 0) this.#closing--
    if (pool.held() === 0 && !this.#line.has(pool)) this.#pools.delete(pool)
    this.#settle()
  }

  /** The pool does not need a socket any more. */
  leave(pool: BudgetUser): void {
    this.#line.delete(pool)
    if (pool.held() === 0) this.#pools.delete(pool)
  }

  /** Whether more pools are in line than sockets are closing for them. */
  get short(): boolean {
    return this.#line.size > this.#closing
  }

  /** Since when another pool has been in line, `undefined` if none is. */
  othersWaitSince(pool: BudgetUser): number | undefined {
    for (const [other, since] of this.#line) if (other !== pool) return since
    return undefined
  }

  /**
   * Whether a pool must give up the socket that it could use again: if one that waits has fewer even with one more, or
   * if that has none and this pool has had its turn. Otherwise sockets would change hands for nothing.
   */
  mustYield(pool: BudgetUser, turnSince: number): boolean {
    if (!this.short) return false
    const poorest = this.#poorest(pool)?.held() ?? Infinity
    const own = pool.held()
    return own > poorest + 1 || (own > poorest && poorest === 0 && performance.now() - turnSince > turn)
  }

  /** Says that `mustYield` was obeyed, so that no more sockets are given up than there are pools in line. */
  yielded(): void {
    this.#closing++
  }

  /** Of those in line whoever holds least, and among equals who came first. */
  #poorest(except: BudgetUser | undefined): BudgetUser | undefined {
    let best: BudgetUser | undefined
    let least = Infinity
    for (const pool of this.#line.keys()) {
      const held = pool.held()
      if (pool === except || held >= least) continue
      best = pool
      least = held
      if (held === 0) break
    }
    return best
  }

  #settle = (): void => {
    while (this.#used < this.limit) {
      const pool = this.#poorest(undefined)
      if (pool === undefined) return
      this.#line.delete(pool)
      this.#used++
      if (!pool.offer()) {
        this.#used--
        if (pool.held() === 0) this.#pools.delete(pool)
      }
    }
    while (this.#closing < this.#line.size) {
      const victim = this.#leastRecent()
      if (victim === undefined) return
      this.#closing++
      victim.closeIdle()
    }
  }

  #leastRecent(): BudgetUser | undefined {
    let best: BudgetUser | undefined
    let since = Infinity
    for (const pool of this.#pools) {
      const idle = pool.idleSince()
      if (idle !== undefined && idle < since) {
        best = pool
        since = idle
      }
    }
    return best
  }
}
