/**
 * First in, first out, with two additions: a returning waiter gets its old place, and a cancelled one is skipped.
 * Waiters that come in order, as nearly all do, stand in a line, where every operation is O(1), amortised; the others
 * are kept in a heap (O(log n)), since thousands may come back at once.
 */
export interface Waiter {
  /** Its place in the line: smaller goes first. */
  readonly order: number
  /** False once it has given up: it is skipped. */
  readonly isQueued: () => boolean
}

class Line<T extends Waiter> {
  #items: Array<T | undefined> = []
  #head = 0

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  last(): T | undefined {
    return this.#items.at(-1)
  }

  /** The last of those wanted that is queued. */
  latest(isWanted: (item: T) => boolean): T | undefined {
    for (let at = this.#items.length - 1; at >= this.#head; at--) {
      const item = this.#items[at]
      if (item?.isQueued() === true && isWanted(item)) return item
    }
    return undefined
  }

  shift(): void {
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }

  compact(): void {
    this.#items = this.queued()
    this.#head = 0
  }

  queued(): Array<T> {
    return this.#items.filter((item) => item?.isQueued() === true) as Array<T>
  }

  first(most: number): Array<T> {
    const found: Array<T> = []
    for (let at = this.#head; at < this.#items.length && found.length < most; at++) {
      const item = this.#items[at]
      if (item?.isQueued() === true) found.push(item)
    }
    return found
  }
}

/** A binary heap by order: no item comes before the one at half its place. */
class Heap<T extends Waiter> {
  #items: Array<T> = []

  push(item: T): void {
    const items = this.#items
    let at = items.length
    while (at > 0) {
      const above = (at - 1) >> 1
      if (items[above]!.order < item.order) break
      items[at] = items[above]!
      at = above
    }
    items[at] = item
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  get isEmpty(): boolean {
    return this.#items.length === 0
  }

  shift(): void {
    const items = this.#items
    const item = items.pop()
    if (item === undefined || items.length === 0) return
    let at = 0
    for (let below = 1; below < items.length; below = 2 * at + 1) {
      if (below + 1 < items.length && items[below + 1]!.order < items[below]!.order) below++
      if (item.order < items[below]!.order) break
      items[at] = items[below]!
      at = below
    }
    items[at] = item
  }

  compact(): void {
    // In order is a heap.
    this.#items = this.queued().sort(byOrder)
  }

  queued(): Array<T> {
    return this.#items.filter((item) => item.isQueued())
  }
}

const byOrder = (a: Waiter, b: Waiter): number => a.order - b.order

export class RequestQueue<T extends Waiter> {
  /** Number of waiters. */
  size = 0
  readonly #line = new Line<T>()
  readonly #returned = new Heap<T>()
  #givenUp = 0

  /** Appends to the tail. */
  push(item: T): void {
    this.size++
    this.#line.push(item)
  }

  /** Back to its old place. */
  putBack(item: T): void {
    this.size++
    this.#returned.push(item)
  }

  /** Inserts by `order`. */
  insert(item: T): void {
    const last = this.#line.last()
    if (last === undefined || last.order < item.order) this.push(item)
    else this.putBack(item)
  }

  /** The one whose turn it is; it stays in the queue. */
  peek(): T | undefined {
    for (;;) {
      const line = this.#next()
      const item = line.peek()
      if (item === undefined || item.isQueued()) return item
      line.shift()
      this.#givenUp--
    }
  }

  /** The one that came last of those wanted that came in order; it stays in the queue. */
  latest(isWanted: (item: T) => boolean): T | undefined {
    return this.#line.latest(isWanted)
  }

  /** Takes out what `peek` just returned. */
  shift(): void {
    this.size--
    this.#next().shift()
    this.#tidy()
  }

  #next(): Line<T> | Heap<T> {
    const returned = this.#returned.peek()
    if (returned === undefined) return this.#line
    const first = this.#line.peek()
    return first === undefined || returned.order < first.order ? this.#returned : this.#line
  }

  /** All waiters, in their order. */
  all(): ReadonlyArray<T> {
    const returned = this.#returned.queued()
    const line = this.#line.queued()
    return returned.length === 0 ? line : [...returned, ...line].sort(byOrder)
  }

  /** The first waiters, in their order. */
  first(most: number): ReadonlyArray<T> {
    return this.#returned.isEmpty ? this.#line.first(most) : this.all().slice(0, most)
  }

  /** An item that is in the queue has given up: it is queued no longer. */
  gaveUp(): void {
    this.size--
    this.#givenUp++
    this.#tidy()
  }

  /** Keeps no more that gave up than wait, so that ten thousand queues hold little; each of them pays for two looks. */
  #tidy(): void {
    if (this.#givenUp <= this.size) return
    this.#returned.compact()
    this.#line.compact()
    this.#givenUp = 0
  }
}
