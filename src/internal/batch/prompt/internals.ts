/** Parts of a prompt that a run needs. */
import type { Price, Prices } from "../cost/prices.ts"

export const PROMPT: unique symbol = Symbol("clientele/Batch/prompt")

export interface PromptInternals {
  /** The price of its model, under the user's own. */
  readonly price: (own: Prices | undefined) => Price | undefined
  /** Most that a row may cost, `undefined` without an output bound, or for a row that can't be rendered. */
  readonly most: (price: Price, row: unknown) => number | undefined
  /** The request of a row as text: equal for equal requests; `undefined` for a row that can't be rendered. */
  readonly request: (row: unknown) => string | undefined
  /** The first column that none of the rows has. */
  readonly lacks: (rows: ReadonlyArray<object>) => string | undefined
}

/** Counts the requests that a prompt sent for a row. */
export const ATTEMPTS: unique symbol = Symbol("clientele/Batch/attempts")

export const internalsOf = (agent: unknown): PromptInternals | undefined =>
  (agent as { readonly [PROMPT]?: PromptInternals })[PROMPT]
