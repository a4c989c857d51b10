/** A row on its way: what its agent is given, and what was counted for it. */
import type { RowCall, Result, Usage } from "./result.ts"
import { costOfUsage, noUsage, sumOf, usageIn } from "./cost/cost.ts"
import type { Price } from "./cost/prices.ts"
import { ATTEMPTS } from "./prompt/internals.ts"
import type { RowHash } from "./rows/rowIndex.ts"
import type { RowReason } from "./result.ts"

/** Identity of a row in the input. */
export interface TaskRow {
  readonly index: number
  readonly repeat: number
  /** Position among all rows and repeats. */
  readonly sequence: number
  readonly row: unknown
  readonly key: string | undefined
  /** Absent without a journal. */
  readonly hash: RowHash | undefined
}

/** A failure that is known before the agent runs. */
export interface KnownFailure {
  readonly tag: string
  readonly message: string
}

export class Task implements RowCall {
  readonly index: number
  readonly repeat: number
  readonly sequence: number
  readonly row: unknown
  readonly key: string | undefined
  readonly hash: RowHash | undefined
  readonly #priceOf: (model: string | undefined) => Price | undefined
  /** Reserved of the budget. */
  most = 0
  startedAt = 0
  cached = false
  usage: Usage = noUsage
  model: string | undefined
  #cost = 0
  #isPriced = true
  #attempts = 0
  #reports = 0

  constructor(
    { hash, index, key, repeat, row, sequence }: TaskRow,
    priceOf: (model: string | undefined) => Price | undefined
  ) {
    this.index = index
    this.repeat = repeat
    this.sequence = sequence
    this.row = row
    this.key = key
    this.hash = hash
    this.#priceOf = priceOf
  }

  /** A property, so that it may be passed on by itself. */
  get report(): RowCall["report"] {
    return ({ model, usage }) => {
      this.#reports++
      if (typeof model === "string") this.model = model
      const counted = usageIn(usage)
      const price = this.#priceOf(this.model)
      if (counted !== undefined) this.usage = sumOf(this.usage, counted)
      if (counted === undefined || price === undefined) this.#isPriced = false
      else this.#cost += costOfUsage(price, counted)
    }
  }

  [ATTEMPTS](attempts: number): void {
    this.#attempts += attempts
  }

  addAttempts(attempts: number): void {
    this.#attempts += attempts
  }

  /** Begins anew: a row that was refused is done again. */
  reset(): void {
    this.usage = noUsage
    this.model = undefined
    this.#cost = 0
    this.#isPriced = true
    this.#attempts = 0
    this.#reports = 0
  }

  /** True if an answer was reported, even one that can't be used. */
  get isAnswered(): boolean {
    return this.#reports > 0
  }

  get attempts(): number {
    return this.#attempts > 0 ? this.#attempts : this.#reports
  }

  /** `undefined` if it is unknown: `isFree` tells that what was not reported costs nothing. */
  costIf(isFree: boolean): number | undefined {
    if (this.cached) return 0
    return this.#isPriced && (this.#reports > 0 || isFree) ? this.#cost : undefined
  }

  #fields(cost: number | undefined, ms: number) {
    const { attempts, cached, index, key, model, repeat, row, usage } = this
    return { index, key, repeat, row: row as never, usage, cost, attempts, ms, cached, restored: false, model }
  }

  done(value: unknown, ms: number): Result<unknown, unknown> {
    return { ...this.#fields(this.costIf(false), ms), status: "done", value }
  }

  failed(reason: RowReason, cost: number | undefined, ms: number): Result<unknown, unknown> {
    return { ...this.#fields(cost, ms), status: "failed", reason }
  }
}
