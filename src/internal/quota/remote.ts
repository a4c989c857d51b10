/** The budget that several processes share, as the line of one process sees it. */
import { remaining, type Ticker } from "../util/ticker.ts"
import type { Grant, Rates, SharedBudget } from "./store.ts"
import { Trailing } from "./trailing.ts"

/** Counts in place of ours, when several processes share a budget. */
export interface Shared {
  readonly budget: SharedBudget
  readonly isAvailable: () => boolean
}

/** After a failure it is left alone for so many milliseconds, in which each process counts for itself. */
const DISTRUST_MS = 1_000
/** Its failure is not announced; waiting requests then wait no longer than this, in milliseconds. */
const LONGEST_WAIT_MS = 1_000

/** For how many requests it is asked at once at least, if so many wait, and at most. */
const MIN_REQUESTS_ASKED = 64
const MAX_REQUESTS_ASKED = 4_000
/** Milliseconds beyond what is asked ahead that a grant may cover: the past that it forgives, and some more. */
const SPARE_MS = 1_000

export class Remote {
  readonly #shared: Shared
  readonly #ticker: Ticker
  #trustAt = -Infinity
  #askAt = -Infinity
  /** The store is not asked before this, whatever has changed. */
  #restsTo = -Infinity
  /** Counts changes that may let more go than a reply on its way allows. */
  #changes = 0
  #tokensLeft: number | undefined
  readonly #trailing: Trailing

  constructor(shared: Shared, ticker: Ticker) {
    this.#trailing = new Trailing((isTrailing) => shared.budget.trails?.(isTrailing))
    this.#shared = shared
    this.#ticker = ticker
  }

  isTrusted(now: number): boolean {
    return now >= this.#trustAt && this.#shared.isAvailable()
  }

  /** Milliseconds until it is worth while to ask, or to see whether it can still be asked. */
  wait(now: number): number {
    return Math.min(LONGEST_WAIT_MS, remaining(Math.max(this.#askAt, this.#restsTo) - now))
  }

  #ahead(): number {
    return this.#shared.budget.ahead?.() ?? 0
  }

  /** True if it is worth while to ask for one more than `count` requests, whose budgets take `ms` milliseconds. */
  reaches(count: number, ms: number): boolean {
    return count < MIN_REQUESTS_ASKED || (count < MAX_REQUESTS_ASKED && ms < this.#ahead() + SPARE_MS)
  }

  /** Discards the wait of the last grant, which no longer holds. */
  renew(): void {
    this.#askAt = -Infinity
    this.#changes++
  }

  tokensLeft(now: number): number | undefined {
    return this.isTrusted(now) ? this.#tokensLeft : undefined
  }

  /**
   * Without a grant it is unreachable. Never rejects. `since` is the time at which the first of them could have gone,
   * had the store allowed it; `isAll` is true if none waits behind them.
   */
  async reserve(
    costs: ReadonlyArray<number>,
    rates: Rates,
    since = this.#ticker.now(),
    isAll = true
  ): Promise<Grant | undefined> {
    const changes = this.#changes
    const sentAt = this.#ticker.now()
    try {
      const grant = await this.#shared.budget.reserve(costs, rates)
      const now = this.#ticker.now()
      // Counted from the question: the next takes as long to get there as this one did.
      // Without some chance the process that asks right after another would get what is left, every time.
      const chance = (Math.random() * this.#ahead()) / 4
      if (changes === this.#changes) this.#askAt = sentAt + grant.wait + chance
      this.#restsTo = now + chance
      // A request that comes alone waits for the answer and for nothing else.
      const lost = grant.taken < costs.length || !isAll ? Math.min(grant.idle ?? 0, now - since) : 0
      this.#trailing.add(now, lost)
      this.#tokensLeft = grant.tokensLeft
      return grant
    } catch {
      this.#trustAt = this.#ticker.now() + DISTRUST_MS
      return undefined
    }
  }

  correct(requests: number, tokens: number, rates: Rates): void {
    this.#shared.budget.correct(requests, tokens, rates)
    if (this.#tokensLeft !== undefined) this.#tokensLeft = Math.max(0, this.#tokensLeft - tokens)
    // Budget that is given back may be there for the next request.
    if (requests < 0 || tokens < 0) this.renew()
  }

  close(ms: number): void {
    this.#shared.budget.close(ms)
  }
}
