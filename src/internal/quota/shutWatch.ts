/**
 * Bounds the time that requests wait for gates that refusals have closed. Waiting for a turn is another matter, so this clock
 * goes only while a gate is not open.
 */
import type { Ticker } from "../util/ticker.ts"

/** A lane whose gates are watched. */
export interface Shuttable {
  /** For how many ms its gates have not been open, all in all. */
  readonly shutMs: (now: number) => number
  readonly isShut: () => boolean
  /** Fails requests that may wait until then and no longer. Returns the time until which the next may. */
  readonly end: (shutMs: number) => number
}

export class ShutWatch {
  readonly #ticker: Ticker
  readonly #lane: Shuttable
  /** By the clock of gates that are not open. */
  #first = Infinity
  #timer: { readonly at: number; readonly cancel: () => void } | undefined

  constructor(ticker: Ticker, lane: Shuttable) {
    this.#ticker = ticker
    this.#lane = lane
  }

  /** A request waits that may until then. */
  add(shutUntil: number): void {
    if (shutUntil >= this.#first) return
    this.#first = shutUntil
    this.look()
  }

  /** To be called when a gate closes. */
  look(): void {
    if (this.#first === Infinity || !this.#lane.isShut()) return
    const now = this.#ticker.now()
    const at = now + Math.max(1, this.#first - this.#lane.shutMs(now))
    if (this.#timer !== undefined && this.#timer.at <= at) return
    this.#timer?.cancel()
    this.#timer = { at, cancel: this.#ticker.after(at - now, this.#due) }
  }

  /** No request waits. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#first = Infinity
  }

  readonly #due = (): void => {
    this.#timer = undefined
    this.#first = this.#lane.end(this.#lane.shutMs(this.#ticker.now()))
    this.look()
  }
}
