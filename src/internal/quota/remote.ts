/** The budget that several processes share, as the line of one process sees it. */
import { remaining, type Ticker } from "../ticker.ts"
import type { Grant, Rates, SharedBudget } from "./store.ts"

/** Counts in place of ours, when several processes share a budget. */
export interface Shared {
  readonly budget: SharedBudget
  readonly isAvailable: () => boolean
}

/** After a failure it is left alone for so many milliseconds, in which each process counts for itself. */
const DISTRUST = 1_000
/** Nobody says when it goes away; those who wait for it then wait no longer than this, in milliseconds. */
const LOOK = 1_000

export class Remote {
  readonly #shared: Shared
  readonly #ticker: Ticker
  #trustAt = -Infinity
  #askAt = -Infinity
  /** Counts what may let more go than an answer that is on its way knows of. */
  #changes = 0
  #tokensLeft: number | undefined

  constructor(shared: Shared, ticker: Ticker) {
    this.#shared = shared
    this.#ticker = ticker
  }

  isTrusted(now: number): boolean {
    return now >= this.#trustAt && this.#shared.isAvailable()
  }

  /** Milliseconds until it is worth while to ask, or to see whether it can still be asked. */
  wait(now: number): number {
    return Math.min(LOOK, remaining(this.#askAt - now))
  }

  /** What it said of the next is no longer so. */
  renew(): void {
    this.#askAt = -Infinity
    this.#changes++
  }

  tokensLeft(now: number): number | undefined {
    return this.isTrusted(now) ? this.#tokensLeft : undefined
  }

  /** Without a grant it can't be reached. Never rejects. */
  async reserve(costs: ReadonlyArray<number>, rates: Rates): Promise<Grant | undefined> {
    const changes = this.#changes
    try {
      const grant = await this.#shared.budget.reserve(costs, rates)
      if (changes === this.#changes) this.#askAt = this.#ticker.now() + grant.wait
      this.#tokensLeft = grant.tokensLeft
      return grant
    } catch {
      this.#trustAt = this.#ticker.now() + DISTRUST
      return undefined
    }
  }

  correct(requests: number, tokens: number, rates: Rates): void {
    this.#shared.budget.correct(requests, tokens, rates)
    // What is given back may be there for the next.
    if (requests < 0 || tokens < 0) this.renew()
  }

  close(ms: number): void {
    this.#shared.budget.close(ms)
  }
}
