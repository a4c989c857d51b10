/** The bound on cost: what was spent, and what rows in flight may still cost. */
export class CostBudget {
  readonly #max: number
  #spent: number
  #reserved = 0

  constructor(max: number, spent: number) {
    this.#max = max
    this.#spent = spent
  }

  get left(): number {
    return this.#max - this.#spent - this.#reserved
  }

  /** Reserves the most that a row may cost, if there is room. */
  reserve(most: number): boolean {
    if (most > this.left) return false
    this.#reserved += most
    return true
  }

  /** The row has ended. One of unknown cost counts as its bound. */
  settle(most: number, cost: number | undefined): void {
    this.#reserved -= most
    this.#spent += cost ?? most
  }
}
