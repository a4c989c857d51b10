/**
 * Round robin between tenants, first come first served within each. A tenant that comes to an empty queue goes next:
 * newcomers and tenants that have had a turn are two rings, after the new and old flows of FQ-CoDel (RFC 8290). So that
 * a stream of newcomers starves none, between two of them goes one of the others, if its last turn was before the
 * second one came. A tenant that was served keeps its place among the latter until its turn comes round, even with an
 * empty queue: coming one by one gains it nothing.
 *
 * Every operation on a request is O(1), amortised, with any number of tenants; with one it is that of the queue alone.
 */
import { RequestQueue, type Waiter } from "../util/waitQueue.ts"

/** A waiter of some tenant, which is compared by reference. */
export interface TenantWaiter extends Waiter {
  readonly tenant: object | undefined
}

/** A tenant's queue, and its place in a ring. */
class Turn<T extends TenantWaiter> {
  readonly queue = new RequestQueue<T>()
  tenant: object | undefined
  /** The number of its last turn, or of the last before it came. */
  at = 0
  ring: Ring<T> | undefined
  before: Turn<T> | undefined
  after: Turn<T> | undefined
}

/** A doubly linked list: a tenant whose requests were all cancelled leaves from the middle. */
class Ring<T extends TenantWaiter> {
  first: Turn<T> | undefined
  #last: Turn<T> | undefined

  push(turn: Turn<T>): void {
    turn.ring = this
    turn.before = this.#last
    if (this.#last === undefined) this.first = turn
    else this.#last.after = turn
    this.#last = turn
  }

  remove(turn: Turn<T>): void {
    if (turn.before === undefined) this.first = turn.after
    else turn.before.after = turn.after
    if (turn.after === undefined) this.#last = turn.before
    else turn.after.before = turn.before
    turn.ring = turn.before = turn.after = undefined
  }
}

export class TenantQueue<T extends TenantWaiter> {
  /** Number of waiters. */
  size = 0
  readonly #turns = new Map<object | undefined, Turn<T>>()
  readonly #fresh = new Ring<T>()
  readonly #served = new Ring<T>()
  /** Turns so far. */
  #turn = 0
  /** The last turn was a newcomer's. */
  #wasFresh = false
  /** The one that left last: where requests find a free socket, the next is not made anew. */
  #spare: Turn<T> | undefined

  /** Appends to the tenant's tail. */
  push(item: T): void {
    this.size++
    this.#join(item.tenant).queue.push(item)
  }

  /** Puts a request back at its old place among its tenant's. */
  putBack(item: T): void {
    this.size++
    this.#join(item.tenant).queue.putBack(item)
  }

  /** The one whose turn it is; it stays in the queue. */
  peek(): T | undefined {
    return this.#next()?.queue.peek()
  }

  /** Takes out what `peek` just returned. */
  shift(): void {
    const turn = this.#next()
    if (turn === undefined) return
    this.size--
    turn.queue.shift()
    this.#wasFresh = turn.ring === this.#fresh
    turn.at = ++this.#turn
    turn.ring?.remove(turn)
    const isAlone = this.#fresh.first === undefined && this.#served.first === undefined
    if (isAlone && turn.queue.size === 0) this.#forget(turn)
    else this.#served.push(turn)
  }

  /** An item that is in the queue has given up: it is queued no longer. */
  gaveUp(item: T): void {
    this.size--
    const turn = this.#turns.get(item.tenant)
    if (turn === undefined) return
    turn.queue.gaveUp()
    if (turn.queue.size === 0 && turn.ring === this.#fresh) this.#forget(turn)
  }

  /** All waiting requests, in the order in which they came. */
  all(): ReadonlyArray<T> {
    const turns = [...this.#turns.values()]
    const [only] = turns
    if (turns.length === 1 && only !== undefined) return only.queue.all()
    return turns.flatMap(({ queue }) => queue.all()).sort((a, b) => a.order - b.order)
  }

  /** The next waiters, `most` at most, about in their order: one of each tenant, then a second. */
  first(most: number): ReadonlyArray<T> {
    if (most >= this.size) return this.all()
    const found: Array<ReadonlyArray<T>> = []
    let tenants = most
    for (const ring of [this.#fresh, this.#served]) {
      for (let turn = ring.first; turn !== undefined && tenants > 0; turn = turn.after) {
        if (turn.queue.size === 0) continue
        tenants--
        found.push(turn.queue.first(most))
      }
    }
    const first: Array<T> = []
    for (let at = 0; first.length < most && found.some((some) => at < some.length); at++) {
      for (const some of found) {
        const item = some[at]
        if (item !== undefined && first.length < most) first.push(item)
      }
    }
    return first
  }

  /** The one that came first of all; O(tenants). */
  oldest(): T | undefined {
    let oldest: T | undefined
    for (const { queue } of this.#turns.values()) {
      const item = queue.peek()
      if (item !== undefined && (oldest === undefined || item.order < oldest.order)) oldest = item
    }
    return oldest
  }

  #next(): Turn<T> | undefined {
    let served = this.#served.first
    for (; served !== undefined && served.queue.size === 0; served = this.#served.first) this.#forget(served)
    const fresh = this.#fresh.first
    if (fresh === undefined || served === undefined) return fresh ?? served
    return this.#wasFresh && served.at < fresh.at ? served : fresh
  }

  #join(tenant: object | undefined): Turn<T> {
    const known = this.#turns.get(tenant)
    if (known !== undefined) return known
    const turn = this.#spare ?? new Turn<T>()
    this.#spare = undefined
    turn.tenant = tenant
    turn.at = this.#turn
    this.#turns.set(tenant, turn)
    this.#fresh.push(turn)
    return turn
  }

  #forget(turn: Turn<T>): void {
    turn.ring?.remove(turn)
    this.#turns.delete(turn.tenant)
    turn.tenant = undefined
    this.#spare = turn
  }
}
