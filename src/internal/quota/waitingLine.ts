/** The requests that wait for one credential and model, wherever in the line they are. */
import { RequestQueue } from "../util/waitQueue.ts"
import { Turns } from "./turns.ts"
import type { QuotaWaiter } from "./waiter.ts"

export class WaitingLine {
  readonly queue = new RequestQueue<QuotaWaiter>()
  /** Waiters for which a shared budget is being asked. They are not in the queue meanwhile. */
  asked: ReadonlyArray<QuotaWaiter> = []
  /** Waiters for which a shared budget has been taken ahead of their time. They are not in the queue either. */
  readonly turns = new Turns<QuotaWaiter>()

  get size(): number {
    return this.queue.size + this.asked.length + this.turns.size
  }

  all(): ReadonlyArray<QuotaWaiter> {
    const queued = this.queue.all()
    if (this.asked.length === 0 && this.turns.size === 0) return queued
    return [...this.turns.all(), ...this.asked.filter((entry) => entry.isQueued()), ...queued]
  }

  /** Removes one that goes no further. Returns true if a shared budget has been taken for it. */
  remove(entry: QuotaWaiter): boolean {
    if (this.turns.delete(entry)) return true
    if (!this.asked.includes(entry)) this.queue.gaveUp()
    return false
  }
}
