/** Results on their way to the consumer, in completion or input order. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Order } from "./model.ts"
import { clearTimeout, performance, setTimeout } from "../util/timers.ts"
import type { Result } from "./result.ts"
import type { PullEffect } from "../util/pullStream.ts"

type Item = Result<unknown, unknown>
type Taken = PullEffect<Item, unknown>

/** Least time between two times that the consumer takes what is ready: a pull of a stream costs as much as a row. */
const GATHER_MS = 5
/** Results that are given without waiting for more. */
const MAX_GATHERED = 64

/** Stands for a row that gives no result. */
const SKIPPED: unique symbol = Symbol()

export class Output {
  readonly #order: Order
  /** Called when the consumer has taken what was there. */
  readonly #onTaken: () => void
  /** In input order: results whose turn has not come. */
  readonly #early = new Map<number, Item | typeof SKIPPED>()
  #next = 0
  #ready: Array<Item> = []
  #ended: { readonly cause: Cause.Cause<unknown> | undefined } | undefined
  #taker: ((taken: Taken) => void) | undefined
  readonly #maxGathered: number
  #takenAt = -Infinity
  #timer: NodeJS.Timeout | undefined

  constructor(order: Order, holdBack: number, onTaken: () => void) {
    this.#order = order
    this.#maxGathered = Math.min(MAX_GATHERED, holdBack)
    this.#onTaken = onTaken
  }

  /** Results that wait. */
  get held(): number {
    return this.#ready.length + this.#early.size
  }

  /** In input order: the row whose result is waited for. */
  get next(): number {
    return this.#order === "input" ? this.#next : -1
  }

  give(sequence: number, result: Item): void {
    this.#add(sequence, result)
  }

  /** This row gives nothing. */
  skip(sequence: number): void {
    if (this.#order === "input") this.#add(sequence, SKIPPED)
  }

  #add(sequence: number, item: Item | typeof SKIPPED): void {
    if (this.#order === "completion") this.#ready.push(item as Item)
    else if (sequence !== this.#next) {
      this.#early.set(sequence, item)
      return
    } else {
      this.#push(item)
      for (let early = this.#early.get(this.#next); early !== undefined; early = this.#early.get(this.#next)) {
        this.#early.delete(this.#next)
        this.#push(early)
      }
    }
    this.#wake()
  }

  #push(item: Item | typeof SKIPPED): void {
    this.#next++
    if (item !== SKIPPED) this.#ready.push(item)
  }

  /** Gives what is held, past rows that have no result, and then the end. The first end counts. */
  end(cause: Cause.Cause<unknown> | undefined): void {
    if (this.#ended !== undefined) return
    this.#ended = { cause }
    for (const sequence of [...this.#early.keys()].sort((a, b) => a - b)) this.#push(this.#early.get(sequence)!)
    this.#early.clear()
    this.#wake()
  }

  /** Results that are ready, once there are some; then the end. */
  readonly take: Taken = Effect.async((resume) => {
    this.#taker = resume
    this.#wake()
    return Effect.sync(() => {
      this.#taker = undefined
    })
  })

  #wake(): void {
    const taker = this.#taker
    if (taker === undefined) return
    if (this.#ready.length > 0) {
      const early = this.#takenAt + GATHER_MS - performance.now()
      if (early > 0 && this.#ready.length < this.#maxGathered && this.#ended === undefined) {
        this.#timer ??= setTimeout(() => this.#give(), early)
        return
      }
      this.#give()
    } else if (this.#ended !== undefined) {
      this.#taker = undefined
      const { cause } = this.#ended
      taker(cause === undefined ? Effect.fail(Option.none()) : Effect.failCause(Cause.map(cause, Option.some)))
    }
  }

  #give(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const [ready, taker] = [this.#ready, this.#taker]
    if (taker === undefined || ready.length === 0) return
    this.#takenAt = performance.now()
    this.#ready = []
    this.#taker = undefined
    taker(Effect.succeed(ready))
    this.#onTaken()
  }
}
