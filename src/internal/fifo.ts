/**
 * First in, first out, with two additions: whoever was sent and refused goes back to its old place, and whoever
 * gave up is skipped. Every operation is O(1), amortised.
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

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  last(): T | undefined {
    return this.#items.at(-1)
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

  /** Puts an item where its order says; those that come back do so nearly in order, so the end is where to look. */
  insert(item: T): void {
    const items = this.#items
    let at = items.length
    for (; at > this.#head; at--) {
      const before = items[at - 1]
      if (before === undefined || before.order < item.order) break
    }
    if (at === items.length) items.push(item)
    else items.splice(at, 0, item)
  }

  compact(): void {
    this.#items = this.#items.filter((item) => item?.isQueued() === true)
    this.#head = 0
  }

  all(): Array<T> {
    return this.#items.filter((item) => item?.isQueued() === true) as Array<T>
  }
}

export class RequestQueue<T extends Waiter> {
  /** How many wait. */
  size = 0
  readonly #returned = new Line<T>()
  readonly #line = new Line<T>()
  #givenUp = 0

  push(item: T): void {
    this.size++
    this.#line.push(item)
  }

  /** Back to the front, among others that came back by `order`. */
  putBack(item: T): void {
    this.size++
    this.#returned.insert(item)
  }

  /** To where its order says, wherever that is; cheap for the newest and for the oldest. */
  insert(item: T): void {
    this.size++
    const next = this.#line.peek()
    const before = next === undefined ? this.#returned.last() : next
    if (before !== undefined && item.order < before.order) this.#returned.insert(item)
    else this.#line.insert(item)
  }

  /** The one whose turn it is; it stays in the queue. */
  peek(): T | undefined {
    for (;;) {
      const line = this.#returned.length > 0 ? this.#returned : this.#line
      const item = line.peek()
      if (item === undefined || item.isQueued()) return item
      line.shift()
      this.#givenUp--
    }
  }

  /** Takes out what `peek` just returned. */
  shift(): void {
    this.size--
    if (this.#returned.length > 0) this.#returned.shift()
    else this.#line.shift()
  }

  /** All who wait, in their order. */
  all(): ReadonlyArray<T> {
    return [...this.#returned.all(), ...this.#line.all()]
  }

  /** An item that is in the queue has given up. */
  gaveUp(): void {
    this.size--
    this.#givenUp++
    if (this.#givenUp > 256 && this.#givenUp > this.size) {
      this.#returned.compact()
      this.#line.compact()
      this.#givenUp = 0
    }
  }
}
