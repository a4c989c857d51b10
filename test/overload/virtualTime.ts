/** A clock that goes as fast as what happens can be worked through, and random numbers that can be had again. */
import type { Ticker } from "../../src/internal/util/ticker.ts"

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
  isCancelled: boolean
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

export class VirtualTime {
  now = 0
  readonly #heap: Array<Event> = []
  #order = 0

  readonly after = (ms: number, run: () => void): (() => void) => {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.#order++, run, isCancelled: false }
    this.#push(event)
    return () => {
      event.isCancelled = true
    }
  }

  readonly ticker: Ticker = { now: () => this.now, date: () => this.now, after: this.after, lateness: 0 }

  /** Runs until nothing is left to do, or `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    await quiet()
    for (let next = this.#shift(); next !== undefined && !isOver(); next = this.#shift()) {
      if (next.isCancelled) continue
      this.now = next.at
      next.run()
      await quiet()
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      if (isBefore(heap[above]!, event)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = event
  }

  #shift(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (isBefore(last, heap[below]!)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
    return first
  }
}

/** All that follows at once from an event has followed. */
const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** mulberry32 */
export const randomOf = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The same for the same place, for every caller, at any time. */
export const drawAt = (seed: number, row: number, attempt: number): number =>
  randomOf((seed * 1_000_003) ^ (row * 7_919) ^ (attempt * 104_729))()
