/** One request that waits in line: it goes, moves on, gives up, or is turned away, and each of these once. */
import type { Waiter } from "../util/waitQueue.ts"
import type { Ticker } from "../util/ticker.ts"
import type { Permit } from "./permit.ts"
import { queueTimedOut } from "./turnedAway.ts"

/** Conditions of a request's wait. Times are milliseconds. */
export interface WaitTerms {
  readonly signal: AbortSignal | undefined
  /** A gate that stays closed for longer is not waited for: by the option of that name, or a deadline's end. */
  readonly maxRetryAfter: number
  /** `Infinity` for as long as it takes. */
  readonly timeout: number
  /** Comes back without a permit when the gate closes for a second or longer: another credential may be open. */
  readonly movable: boolean
  /** It has been let through before: a line that is full takes it all the same. */
  readonly again: boolean
  /** Ms that it may wait while a gate is not open, having been refused before. @default Infinity */
  readonly refusedPatience?: number | undefined
}

/** The parts of a request's demand that are read here. */
interface Asked {
  readonly order: number
  readonly tokens: (meanOutput: number) => number
  readonly patience?: number | undefined
}

/** A request that begins to wait. */
interface QuotaWait {
  readonly demand: Asked
  /** In tokens. */
  readonly cost: number
  readonly waiting: WaitTerms
  /** Milliseconds that its gates have not been open so far. */
  readonly shutMs: number
}

interface Outcomes {
  readonly resolve: (permit: Permit | undefined) => void
  readonly reject: (error: unknown) => void
  /** Called when it leaves the line of its own accord. */
  readonly gaveUp: (entry: QuotaWaiter) => void
}

export class QuotaWaiter implements Waiter {
  readonly order: number
  /** Milliseconds that it waits at most for a gate to open, whatever is left of that. */
  readonly patience: number
  readonly demand: Asked
  /** Tokens, as they were last estimated: a line may be longer than it takes to learn what answers cost. */
  cost: number
  readonly since: number
  readonly maxRetryAfter: number
  readonly movable: boolean
  /** The ms that its gates have not been open, all in all, beyond which it gives up. */
  readonly shutUntil: number
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (permit: Permit | undefined) => void
  readonly #reject: (error: unknown) => void
  readonly #gaveUp: (entry: QuotaWaiter) => void
  readonly #cancel: (() => void) | undefined
  #queued = true

  constructor({ cost, demand, shutMs, waiting }: QuotaWait, ticker: Ticker, { gaveUp, reject, resolve }: Outcomes) {
    this.order = demand.order
    this.patience = demand.patience ?? Infinity
    this.demand = demand
    this.cost = cost
    this.since = ticker.now()
    this.maxRetryAfter = waiting.maxRetryAfter
    this.movable = waiting.movable
    this.shutUntil = shutMs + (waiting.refusedPatience ?? Infinity)
    this.#signal = waiting.signal
    this.#resolve = resolve
    this.#reject = reject
    this.#gaveUp = gaveUp
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true })
    if (waiting.timeout !== Infinity) this.#cancel = ticker.after(waiting.timeout, this.#onTimeout)
  }

  readonly isQueued = (): boolean => this.#queued

  /** Its turn has come; without a permit it is to look elsewhere. */
  go(permit: Permit | undefined): void {
    this.#leave()
    this.#resolve(permit)
  }

  fail(error: unknown): void {
    this.#leave()
    this.#reject(error)
  }

  #leave(): void {
    this.#queued = false
    this.#signal?.removeEventListener("abort", this.#onAbort)
    this.#cancel?.()
  }

  #giveUp(error: unknown): void {
    this.fail(error)
    this.#gaveUp(this)
  }

  readonly #onAbort = (): void => this.#giveUp(this.#signal!.reason)

  readonly #onTimeout = (): void => this.#giveUp(queueTimedOut())
}
