/**
 * A bound on the sockets of several pools together. A pool that finds it used up first has another pool's idle socket
 * closed; failing that it queues, and the pool with the fewest sockets is served first. Bounds nest: that of a client
 * layer takes its places from that of the process, where it is one user among other layers, and takes turns as pools do
 * in it.
 */
import { performance, queueMicrotask } from "../util/timers.ts"
import { Descriptors } from "./descriptors.ts"
import { type BudgetUser, owes, type Places } from "./places.ts"

export class SocketBudget implements Places, BudgetUser {
  #limit: number
  readonly #parent: Places
  #used = 0
  /** Idle sockets that were asked to close and have not yet. */
  #closing = 0
  readonly #users = new Set<BudgetUser>()
  /** In line, with the time since when. */
  readonly #line = new Map<BudgetUser, number>()
  /** In the parent's line. */
  #inLine = false

  constructor(maxSockets: number, parent: Places = new Descriptors()) {
    this.#limit = maxSockets
    this.#parent = parent
  }

  get limit(): number {
    return this.#limit
  }

  /** True if all of its own places are taken; else it is the parent that has no more. */
  get isFull(): boolean {
    return this.#used >= this.#limit
  }

  resize(maxSockets: number): void {
    this.#limit = maxSockets
    this.#settle()
  }

  // Places

  take = (user: BudgetUser): boolean => {
    if (this.#line.has(user)) return false
    this.#users.add(user)
    if (this.#line.size === 0 && this.#takePlace()) {
      this.#used++
      return true
    }
    this.#line.set(user, performance.now())
    // Not now: the user is in the midst of counting what it needs.
    queueMicrotask(this.#settle)
    return false
  }

  release = (user: BudgetUser): void => {
    this.#used--
    if (this.#closing > 0) this.#closing--
    this.#parent.release(this)
    this.#forget(user)
    this.#settle()
  }

  leave = (user: BudgetUser): void => {
    this.#line.delete(user)
    this.#forget(user)
    this.#leaveLine()
  }

  room = (): number => Math.max(0, Math.min(this.#limit - this.#used, this.#parent.room()))

  isShort = (): boolean => this.#line.size > this.#closing || this.#parent.isShort()

  othersWaitSince = (user: BudgetUser): number | undefined => {
    for (const [other, since] of this.#line) if (other !== user) return since
    return this.#parent.othersWaitSince(this)
  }

  mustYield = (user: BudgetUser, turnSince: number): boolean => {
    if (this.#line.size > this.#closing) {
      const poorest = this.#poorest(user)
      if (poorest !== undefined && owes(user.held(), poorest.held(), turnSince)) return true
    }
    return this.#parent.mustYield(this, turnSince)
  }

  yielded = (): void => {
    if (this.#line.size > this.#closing) this.#closing++
    this.#parent.yielded()
  }

  exhausted = (): void => this.#parent.exhausted()

  othersHold = (user: BudgetUser): boolean => this.#used > user.held() || this.#parent.othersHold(this)

  // BudgetUser

  held = (): number => this.#used

  idleSince = (): number | undefined => this.#leastRecent()?.idleSince()

  closeIdle = (): void => this.#leastRecent()?.closeIdle()

  offer = (): boolean => {
    this.#inLine = false
    while (this.#used < this.#limit) {
      const user = this.#poorest(undefined)
      if (user === undefined) return false
      if (!this.#offerTo(user)) continue
      // For more it stands in line again: others come first.
      if (this.#line.size > 0) queueMicrotask(this.#settle)
      return true
    }
    return false
  }

  #takePlace(): boolean {
    if (this.#used >= this.#limit || this.#inLine) return false
    this.#inLine = !this.#parent.take(this)
    return !this.#inLine
  }

  /** With a place of the parent's in hand. */
  #offerTo(user: BudgetUser): boolean {
    this.#line.delete(user)
    this.#used++
    if (user.offer()) return true
    this.#used--
    this.#forget(user)
    return false
  }

  #forget(user: BudgetUser): void {
    if (user.held() === 0 && !this.#line.has(user)) this.#users.delete(user)
  }

  #leaveLine(): void {
    if (!this.#inLine || this.#line.size > 0) return
    this.#inLine = false
    this.#parent.leave(this)
  }

  /** The user in line that holds least, the first of them among equals. */
  #poorest(except: BudgetUser | undefined): BudgetUser | undefined {
    let best: BudgetUser | undefined
    let least = Infinity
    for (const user of this.#line.keys()) {
      const held = user.held()
      if (user === except || held >= least) continue
      best = user
      least = held
      if (held === 0) break
    }
    return best
  }

  #settle = (): void => {
    while (this.#line.size > 0 && this.#takePlace()) {
      if (this.#offerTo(this.#poorest(undefined)!)) continue
      this.#parent.release(this)
    }
    this.#leaveLine()
    // If it is the parent that has no more, the parent closes what is idle, here or elsewhere.
    if (this.#used < this.#limit) return
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
    for (const user of this.#users) {
      const idle = user.idleSince()
      if (idle !== undefined && idle < since) {
        best = user
        since = idle
      }
    }
    return best
  }
}
