/**
 * Counts the budget of one model of one credential for several processes. Without a store each process counts for
 * itself. A store is asked once for as many waiting requests as possible, so that one round trip serves many.
 */

/** Limits of a minute; `Infinity` is no limit. */
export interface Rates {
  readonly requestsPerMinute: number
  readonly tokensPerMinute: number
  /** Requests that may go at once if none went for long. */
  readonly burst: number
}

export interface Grant {
  /** For how many, from the front, the budget has been taken. */
  readonly taken: number
  /** Milliseconds until it is worth while to ask for the next; 0 if all were taken. */
  readonly wait: number
  /** Milliseconds for which a Retry-After that any process met keeps the gate closed; 0 if it is open. */
  readonly closed: number
  /** Tokens left in this minute, after what was taken; `Infinity` without a limit. */
  readonly tokensLeft: number
  /** Milliseconds from now until each that was taken may depart. @default all at once */
  readonly after?: ReadonlyArray<number>
  /** Milliseconds of the budget that had passed unused when the store was asked. @default 0 */
  readonly idle?: number
}

/** The budget of one model of one credential. */
export interface SharedBudget {
  /**
   * Takes for the first requests, in order, as far as the budget goes. Each number is what a request is thought to
   * cost in tokens. Rejects if the store can't be reached; nothing is known to be taken then.
   */
  readonly reserve: (costs: ReadonlyArray<number>, rates: Rates) => Promise<Grant>
  /**
   * Milliseconds ahead of their time at which turns are taken, so that the answer is here when they come. @default 0
   */
  readonly ahead?: () => number
  /**
   * Called with true while requests wait although budget is left, because grants come too late. Never throws. @default
   * not reported
   */
  readonly trails?: (isTrailing: boolean) => void
  /** Corrects what was taken: by this many requests and tokens, negative to give back. Never throws nor rejects. */
  readonly correct: (requests: number, tokens: number, rates: Rates) => void
  /** Keeps the gate of all processes closed for this many milliseconds from now; never shortens. Never throws nor rejects. */
  readonly close: (ms: number) => void
}

export interface Store {
  /** `credential` is a digest that is the same in every process and from which no key can be had. */
  readonly budget: (credential: string, model: string) => SharedBudget
  /** True if it can be reached, as far as is known. While not, each process counts for itself. */
  readonly isAvailable: () => boolean
}
