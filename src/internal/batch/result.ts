/** Results of rows, and what their agents are given. */

/**
 * Tokens, as the provider counts them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  /** Tokens of the prompt, those from the provider's cache included. */
  readonly input: number
  readonly output: number
  /** Tokens of the prompt that came from the provider's cache. */
  readonly cachedInput: number
}

/**
 * The row's failure. Tags to expect: reasons of `ClientError`s (`BadRequest`, `Timeout`, ...), `length`, `content_filter`,
 * `refusal`, `empty` and `schema` for answers that can't be used, `bad_row`, `missing_column` and `duplicate_key` for rows,
 * Errors of other agents have their `_tag` or `name`; defects `Defect`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RowReason {
  readonly tag: string
  /** One line, without secrets. */
  readonly message: string
  /** The answer that could not be used. */
  readonly answer?: string | undefined
}

interface ResultFields<Row> {
  /** Position of the row in the input, from 0. */
  readonly index: number
  /** Value of the option `key`, if there is one. */
  readonly key: string | undefined
  /** From 1 to the option `repeat`. */
  readonly repeat: number
  /** Absent in `Batch.records`, since journals hold no rows. A `BadRow` where that stood in the input. */
  readonly row: Row
  /** Sum over all requests of the row that reported theirs. */
  readonly usage: Usage
  /** In US dollars; `undefined` if the price is unknown. 0 for cached results. */
  readonly cost: number | undefined
  /** Requests sent, retries and repairs included; 0 if none was. */
  readonly attempts: number
  /** Milliseconds from the agent's start to its end. */
  readonly ms: number
  /** Out of the cache. */
  readonly cached: boolean
  /** Out of the journal: done by an earlier run. */
  readonly restored: boolean
  /** The model that answered, if the agent reported it. */
  readonly model: string | undefined
}

/**
 * The outcome of a row.
 *
 * @since 0.1.0
 * @category models
 */
export type Result<Row, A> =
  | (ResultFields<Row> & { readonly status: "done"; readonly value: A })
  | (ResultFields<Row> & { readonly status: "failed"; readonly reason: RowReason })

/**
 * A row's place in the run, given to its agent beside the row.
 *
 * @since 0.1.0
 * @category models
 */
export interface RowCall {
  readonly index: number
  readonly key: string | undefined
  /** From 1 to the option `repeat`. */
  readonly repeat: number
  /**
   * Counts the usage of an answer towards the row. Takes what providers return: a completion or embeddings with `model` and
   * `usage`. May be called for each request of the row.
   */
  readonly report: (answer: { readonly model?: unknown; readonly usage?: unknown }) => void
}

/**
 * Content that makes one run differ from another, as JSON. `Batch.prompt` has its own; of other agents it is `name` and
 * `version`, which change when their answers would.
 *
 * @since 0.1.0
 * @category models
 */
export type AgentIdentity = Readonly<Record<string, unknown>>
