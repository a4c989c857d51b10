/** Types of journals and of caches. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BatchError } from "../errors.ts"
import type * as Stream from "effect/Stream"
import type { AgentIdentity, Result } from "../result.ts"

/**
 * A record without its value: what a run must know of it to pass over its row.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecordHead {
  /** 16 characters of base64url: the row's identity. */
  readonly id: string
  /** Tag of the failure; `undefined` if the row is done. */
  readonly failed: string | undefined
  /** US dollars, `undefined` if unknown. */
  readonly cost: number | undefined
  /** US dollars that an unknown cost is at most, where a bound was set. @default unknown */
  readonly most?: number | undefined
}

/**
 * The records of one run, held by one process until the scope closes.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalStore {
  /** Visits all records, oldest first; of two with one id the later counts. Resolves to the number of damaged ones. */
  readonly scan: (visit: (head: RecordHead, position: number) => void) => Effect.Effect<number, BatchError>
  /** Appends records, each one line of JSON, and returns their positions once they are written. */
  readonly append: (lines: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<number>, BatchError>
  /** The records at these positions, `undefined` for a damaged one. */
  readonly read: (positions: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<string | undefined>, BatchError>
}

/**
 * A place for finished rows. `Batch.journal` is a file; another store implements `open`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Journal {
  /** The records of the run with this identity. Fails with `Changed` or `Locked`. */
  readonly open: (identity: AgentIdentity) => Effect.Effect<JournalStore, BatchError, Scope.Scope>
}

/**
 * Options of a journal in a file.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalOptions {
  /**
   * If the file is of another run: fail with the difference, or begin a new file beside it (`films.journal.2.jsonl`), which
   * later runs with the same identity go on with.
   *
   * @default "refuse"
   */
  readonly whenChanged?: "refuse" | "new" | undefined
  /**
   * Milliseconds between calls of fsync, which matter when power fails: a crash of the process loses nothing without. 0
   * is after each write.
   *
   * @default none
   */
  readonly fsync?: number | undefined
  /** Called with the path of the file once the run has it. @default none */
  readonly onOpen?: ((path: string) => void) | undefined
}

/**
 * A journal as those see it who look on.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalReading {
  /** Content of the run, by which it is told from others. */
  readonly identity: AgentIdentity
  /** When it was begun, as an ISO date. */
  readonly createdAt: string
  /** Rows recorded. */
  readonly rows: number
  /** Lines that can't be read. */
  readonly damaged: number
  /** US dollars, of records that were replaced too; those of unknown cost left out. */
  readonly cost: number
  /** Current records, oldest first: of two for one row the later. */
  readonly records: Stream.Stream<Result<undefined, unknown>, BatchError>
}

/**
 * Answers kept beyond a run, by the content of their requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cache {
  readonly open: Effect.Effect<CacheStore, BatchError, Scope.Scope>
}

/**
 * The answers of an open cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStore {
  /** The answer under this key, as `put` took it. */
  readonly get: (key: string) => Effect.Effect<string | undefined, BatchError>
  /** `answer` is one line of JSON. Returns at once; it is written soon after. */
  readonly put: (key: string, answer: string) => void
}
