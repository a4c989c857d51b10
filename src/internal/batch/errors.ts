/** Errors of a run, and of a row. */
import * as Data from "effect/Data"

/**
 * Reasons why a run ends before its rows do. Everything finished by then has been given and is in the journal.
 *
 * - `Options`: an option can't be used, or `maxCost` lacks a price or an output bound. Nothing was sent.
 * - `Template`: the first row lacks a column of the prompt. Nothing was sent.
 * - `Changed`: the journal is of another prompt, model, agent or schema; `difference` has what changed.
 * - `Locked`: another run has the journal; `holder` is that run.
 * - `Journal`: the journal or cache can't be read or written: disk full, say.
 * - `Input`: reading the rows failed; see `cause`.
 * - `Failures`: as many rows failed as `stopAfter` allows.
 * - `MaxCost`: the next row might cost more than is left of `maxCost`.
 * - `Refused`: the provider refuses the account: key, quota, permission, model. Rows that met it are not recorded.
 */
export type BatchReason =
  | "Options"
  | "Template"
  | "Changed"
  | "Locked"
  | "Journal"
  | "Input"
  | "Failures"
  | "MaxCost"
  | "Refused"

/** A field of a run's identity that differs from that of the journal. */
export interface IdentityChange {
  readonly field: string
  /** As JSON, shortened. */
  readonly before: string
  readonly after: string
}

/** The run that has a journal. */
export interface LockHolder {
  readonly pid: number
  readonly host: string
  /** When it began, as an ISO date. */
  readonly since: string
}

/**
 * A run that ended before its rows did.
 *
 * @since 0.1.0
 * @category errors
 */
export class BatchError extends Data.TaggedError("BatchError")<{
  readonly reason: BatchReason
  /** The failure, and what to do. */
  readonly detail: string
  readonly difference?: ReadonlyArray<IdentityChange> | undefined
  readonly holder?: LockHolder | undefined
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.detail
  }
}

/**
 * An agent fails with it to give a row's failure a tag of its own. `Batch.prompt` fails so for answers that can't be used:
 * `length`, `content_filter`, `refusal`, `empty`, `schema`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RowFailure extends Data.TaggedError("RowFailure")<{
  /** Short and from a fixed list: failures are counted by it. */
  readonly tag: string
  readonly detail: string
  /** The text that could not be used. */
  readonly answer?: string | undefined
}> {
  override get message(): string {
    return this.detail
  }
}

/**
 * Stands in the input for a row that could not be read. It becomes a failed result, and no agent runs.
 *
 * @since 0.1.0
 * @category models
 */
export class BadRow extends Data.TaggedClass("BadRow")<{
  /** Counted by it. @default "bad_row" */
  readonly tag?: string | undefined
  readonly message: string
  /** The text as it was read, by which a resumed run knows it again. */
  readonly raw: string
}> {}
