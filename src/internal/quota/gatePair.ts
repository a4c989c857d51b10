/** The two gates that a request passes: that of its model, and that of the whole credential. */
import type { RetryAfterGate, Trial } from "./retryAfterGate.ts"

export class GatePair {
  readonly model: RetryAfterGate
  readonly #credential: RetryAfterGate

  constructor(model: RetryAfterGate, credential: RetryAfterGate) {
    this.model = model
    this.#credential = credential
  }

  get isOpen(): boolean {
    return this.model.isOpen && this.#credential.isOpen
  }

  /** Closings so far. */
  get closings(): number {
    return this.model.closings + this.#credential.closings
  }

  /** Milliseconds for which nobody may go. */
  closedFor(now: number): number {
    return Math.max(this.model.closedFor(now), this.#credential.closedFor(now))
  }

  /** Milliseconds for which nobody may go, by what the provider has claimed. */
  claimedFor(now: number): number {
    return Math.max(this.closedFor(now), this.model.claimedFor(now))
  }

  /** Milliseconds for which they have not been open, all in all. */
  shutMs(now: number): number {
    return this.model.shutMs(now) + this.#credential.shutMs(now)
  }

  /** Requests that they let through now. */
  room(now: number): number {
    return Math.min(this.model.room(now), this.#credential.room(now))
  }

  /** Milliseconds until one lets more go by itself. */
  growsIn(now: number): number {
    return Math.min(this.model.growsIn(now), this.#credential.growsIn(now))
  }

  /** Trials of a request that passes gates which are not fully open; `undefined` if both are. */
  trials(): ReadonlyArray<Trial> | undefined {
    if (this.isOpen) return undefined
    return [this.model, this.#credential].flatMap((gate) => (gate.isOpen ? [] : gate.trial()))
  }
}
