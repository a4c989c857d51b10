/** Rows that wait for a slot, in the order of the input; those that are done again first. */
import type { Task } from "../task.ts"

/** Rows that have gone are dropped from the array this many at a time. */
const DROPPED_AT_ONCE = 64

export class WaitingRows {
  #rows: Array<Task> = []
  #head = 0
  /** The first of the input last. */
  #again: Array<Task> = []

  get size(): number {
    return this.#rows.length - this.#head + this.#again.length
  }

  push(task: Task): void {
    this.#rows.push(task)
  }

  /** Puts a row back that has begun. */
  putBack(task: Task): void {
    this.#again.push(task)
    this.#again.sort((a, b) => b.sequence - a.sequence)
  }

  first(): Task | undefined {
    return this.#again.at(-1) ?? this.#rows[this.#head]
  }

  /** Removes the first. */
  shift(): void {
    if (this.#again.pop() !== undefined) return
    this.#head++
    if (this.#head < DROPPED_AT_ONCE && this.#head < this.#rows.length) return
    this.#rows = this.#rows.slice(this.#head)
    this.#head = 0
  }

  /** Removes all. */
  clear(): ReadonlyArray<Task> {
    const all = [...this.#again, ...this.#rows.slice(this.#head)]
    this.#rows = []
    this.#head = 0
    this.#again = []
    return all
  }
}
