/** Types of a run: its options and its progress. */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { BadRow } from "./errors.ts"
import type { Cache, Journal } from "./journal/model.ts"
import type { Prices } from "./cost/prices.ts"
import type { RowCall, Usage } from "./result.ts"

/**
 * Rows at a time: a number, or `"auto"`, which keeps quota and sockets busy and little more, since what waits costs memory.
 *
 * @since 0.1.0
 * @category models
 */
export type Concurrency = number | "auto"

/**
 * Order of results: that of the input, or as they are finished.
 *
 * @since 0.1.0
 * @category models
 */
export type Order = "input" | "completion"

/**
 * Failures at which a run stops. Absent fields set no bound.
 *
 * @since 0.1.0
 * @category models
 */
export interface StopAfter {
  /** Rows failed in this run. */
  readonly failures?: number | undefined
  /** Share of this run's rows, above 0 and at most 1, once 100 rows have ended. */
  readonly share?: number | undefined
}

/**
 * Options of a run.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions<Row, A, E, R, E2, R2> {
  /** Any number of rows; they are read as they are needed. A `BadRow` among them is recorded as a failure. */
  readonly rows: Stream.Stream<Row | BadRow, E2, R2> | Iterable<Row | BadRow> | AsyncIterable<Row | BadRow>
  /** Any function of a row that returns an Effect: an `Agent`, or what `Batch.prompt` makes. */
  readonly agent: (row: Row, call: RowCall) => Effect.Effect<A, E, R>
  /**
   * Changes when the agent's answers would: part of the run's identity. `Batch.prompt` needs none.
   *
   * @default none
   */
  readonly version?: string | number | undefined
  /**
   * The row's identity: a column's name, a path into one (`author.id`), or a function. A second row with a key is a failure, `duplicate_key`; a row whose
   * content has changed since it was recorded is done again.
   *
   * @default the row's content; equal rows are told apart by number
   */
  readonly key?: string | ((row: Row) => string | number) | undefined
  /** @default "auto" */
  readonly concurrency?: Concurrency | undefined
  /** @default "completion" */
  readonly order?: Order | undefined
  /**
   * Finished results that may wait for their turn or for the consumer. At it no further row begins.
   *
   * @default 1,000, or twice the concurrency if that is more
   */
  readonly holdBack?: number | undefined
  /** Answers to each row, each with its own number. @default 1 */
  readonly repeat?: number | undefined
  /** Keeps what is finished. Without one a run begins from the start each time. @default none */
  readonly journal?: Journal | undefined
  /**
   * Gives results that are in the journal too, in their places, `restored`. Without it they are passed over.
   *
   * @default true
   */
  readonly replay?: boolean | undefined
  /** Does rows again that the journal has as failed: all, or those with these tags. @default false */
  readonly retryFailed?: boolean | ReadonlyArray<string> | undefined
  /** Keeps answers beyond the run: same request, same answer. @default none */
  readonly cache?: Cache | undefined
  /** @default none: the run goes on whatever fails */
  readonly stopAfter?: StopAfter | undefined
  /**
   * When the provider refuses the account (key, quota, permission, model, a limit for more than 10 minutes): end with `Refused` once rows in flight have
   * ended, or hold all rows and try one each `probeInterval` until it is let in. Rows that were refused are done again.
   *
   * @default "stop"
   */
  readonly whenRefused?: "stop" | "pause" | undefined
  /** Milliseconds between rows that are tried while the account is refused. @default 30,000 */
  readonly probeInterval?: number | undefined
  /**
   * US dollars, over all runs of the journal. What is in flight counts by its upper bound, so it is never passed. Needs an
   * agent of `Batch.prompt` with a known price and an output bound.
   *
   * @default none
   */
  readonly maxCost?: number | undefined
  /** Prices of models, over those of the package. @default the package's */
  readonly prices?: Prices | undefined
  /** When this effect ends no further row begins; the run ends when those in flight have. @default never */
  readonly drainWhen?: Effect.Effect<unknown> | undefined
  /** Rows of the input, if known: for the estimate of the end. @default known once the input has ended */
  readonly total?: number | undefined
  /** Called every `progressInterval`, and once at the end. What it throws is ignored. @default none */
  readonly onProgress?: ((progress: BatchProgress) => void) | undefined
  /** Milliseconds. @default 250 */
  readonly progressInterval?: number | undefined
}

/**
 * The limit that holds the run back at this moment.
 *
 * - `answers`: nothing does; all slots wait for the provider.
 * - `concurrency`: the option `concurrency` is used up, and quota and sockets have room.
 * - `requests`, `tokens`, `quota`: the quota's limits; `quota` is its `maxConcurrency`.
 * - `retry_after`: the provider wants no requests until `until`.
 * - `circuit`: the provider does not respond; probes are sent.
 * - `sockets`: requests wait for a connection.
 * - `refused`: the account is refused; one row is tried at a time.
 * - `budget`: `maxCost` leaves no room beside what is in flight.
 * - `output`: results wait for the consumer, or for an earlier row in input order.
 * - `journal`, `input`: writing, or reading rows, is the slowest part.
 *
 * @since 0.1.0
 * @category models
 */
export interface HeldBack {
  readonly by:
    | "answers"
    | "concurrency"
    | "requests"
    | "tokens"
    | "quota"
    | "retry_after"
    | "circuit"
    | "sockets"
    | "refused"
    | "budget"
    | "output"
    | "journal"
    | "input"
  /** For people: "waiting for tokens: 60,000 a minute". */
  readonly detail: string
  /** Milliseconds since 1970. */
  readonly until?: number | undefined
}

/**
 * Counts of a run at one moment. Rows count once for each repeat.
 *
 * @since 0.1.0
 * @category models
 */
export interface BatchProgress {
  /** Rows of the input, once known. */
  readonly total: number | undefined
  /** Rows read so far. */
  readonly read: number
  /** Rows with an answer, restored ones included. */
  readonly done: number
  /** Rows that failed, restored ones included. */
  readonly failed: number
  /** Failed rows by tag, restored ones included. */
  readonly failures: Readonly<Record<string, number>>
  /** Among both: out of the journal. */
  readonly restored: number
  /** Out of the cache, in this run. */
  readonly cached: number
  /** Rows done again since their content changed under their key. */
  readonly changed: number
  /** Damaged records of the journal, whose rows are done again. */
  readonly damaged: number
  /** Rows whose agents run now. */
  readonly running: number
  /** Rows that may run at this moment. */
  readonly concurrency: number
  /** Requests that wait for quota or a socket, where there is a `ClientMap`. */
  readonly queued: number
  /** Sockets open, where there is a `ClientMap`. */
  readonly sockets: number
  /** Results that wait for the consumer. */
  readonly held: number
  /** Rows of this run a second, over the last ten seconds. */
  readonly rowsPerSecond: number
  readonly elapsedMs: number
  /** Milliseconds to the end, if `total` and the rate are known. */
  readonly etaMs: number | undefined
  /** Tokens of this run, without those of cached answers. */
  readonly usage: Usage
  /** US dollars of this run, without rows of unknown price. */
  readonly cost: number
  /** US dollars of the journal's earlier runs. */
  readonly earlierCost: number
  /** Rows whose cost is unknown, which `cost` is short of. */
  readonly unpriced: number
  /** Cost of this run at its end by its mean so far; `undefined` while unknown. */
  readonly expectedCost: number | undefined
  readonly heldBack: HeldBack
  /** Set once the run has ended. */
  readonly ended: "complete" | "drained" | "failed" | "interrupted" | undefined
}
