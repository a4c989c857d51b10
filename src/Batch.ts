/**
 * One agent for every row of a data set: rows in, results out, in constant memory, with a journal from which a run goes on
 * where it was broken off.
 *
 * A row that fails is a result like any other, with its reason. Retries belong to the layers below, so a row fails for what
 * waiting can't cure. With a journal each result is on disk before it is given; after a crash, even a `kill -9`, the same
 * call does the rows that are not in it, and gives the others from it.
 *
 * @example
 * ```ts
 * import * as Batch from "clientele/Batch"
 * import * as ClientLayer from "clientele/ClientLayer"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const rows = [{ title: "Alien" }, { title: "Brazil" }]
 *
 * const main = Effect.gen(function* () {
 *   const agent = yield* Batch.prompt({ model: "groq:llama-3.3-70b-versatile", prompt: "Sum up the film {{title}}." })
 *   const results = Batch.run({ rows, agent, journal: Batch.journal("films.journal.jsonl") })
 *   yield* Stream.runForEach(results, (result) => Effect.log(result))
 * })
 *
 * await Effect.runPromise(Effect.provide(main, ClientLayer.layer()))
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ClientMap } from "./ClientMap.ts"
import type { ClientError, OptionsError } from "./ClientError.ts"
import type { BatchError, RowFailure } from "./internal/batch/errors.ts"
import type { Cache, Journal, JournalOptions, JournalReading } from "./internal/batch/journal/model.ts"
import type { RunOptions } from "./internal/batch/model.ts"
import type { AgentIdentity, RowCall, Result } from "./internal/batch/result.ts"
import type { Price, Prices } from "./internal/batch/cost/prices.ts"
import * as pricing from "./internal/batch/cost/prices.ts"
import * as directoryCache from "./internal/batch/cache/directoryCache.ts"
import * as fileJournal from "./internal/batch/journal/fileJournal.ts"
import * as reading from "./internal/batch/journal/records.ts"
import * as prompts from "./internal/batch/prompt/prompt.ts"
import * as internal from "./internal/batch/run.ts"
import type { ChatMessage, PromptOptions } from "./internal/batch/prompt/model.ts"

export { BadRow, BatchError, RowFailure } from "./internal/batch/errors.ts"
export type {
  Concurrency,
  HeldBack,
  Order,
  BatchProgress as Progress,
  RunOptions,
  StopAfter
} from "./internal/batch/model.ts"
export type { AgentIdentity, RowCall as Call, Result, RowReason, Usage } from "./internal/batch/result.ts"
export type {
  Cache,
  CacheStore,
  Journal,
  JournalOptions,
  JournalReading,
  JournalStore,
  RecordHead
} from "./internal/batch/journal/model.ts"
export type { Price, Prices } from "./internal/batch/cost/prices.ts"
export type { ChatMessage, ModelName, PromptOptions, PromptParams } from "./internal/batch/prompt/model.ts"

/**
 * An agent made of a template: an Effect for each row, and what a command needs to show before it sends anything.
 *
 * @since 0.1.0
 * @category models
 */
export interface Prompt<A> {
  (row: Readonly<Record<string, unknown>>, call: RowCall): Effect.Effect<A, ClientError | RowFailure, ClientMap>
  readonly identity: AgentIdentity
  readonly model: string
  /** Columns of the templates, in order of their first use. */
  readonly columns: ReadonlyArray<string>
  /** The messages for a row; `Left` is the first column that it lacks. */
  readonly render: (row: Readonly<Record<string, unknown>>) => Either.Either<ReadonlyArray<ChatMessage>, string>
  /** Most output tokens of a request, if `params` bound it. */
  readonly maxOutputTokens: number | undefined
}

/**
 * Runs an agent for each row. Results come as they are finished, or in the order of the input; `R` is that of the agent and
 * of the rows.
 *
 * The run lasts as long as the stream: ending its consumer early, or interrupting it, interrupts the rows in flight, whose
 * requests are aborted. What is finished by then is in the journal. `drainWhen` ends it without loss. Fails with a
 * `BatchError`, after all results that were finished, and with the errors of `rows`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run: <Row, A, E, R, E2 = never, R2 = never>(
  options: RunOptions<Row, A, E, R, E2, R2>
) => Stream.Stream<Result<Row, A>, BatchError | E2, R | R2> = internal.run as never

/**
 * An agent made of a template, over the provider's direct door. Validates its options; nothing is sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const prompt: {
  <A, I>(
    options: PromptOptions<A> & { readonly schema: Schema.Schema<A, I> }
  ): Effect.Effect<Prompt<A>, BatchError | OptionsError>
  (
    options: PromptOptions<unknown> & { readonly schema: Readonly<Record<string, unknown>> }
  ): Effect.Effect<Prompt<unknown>, BatchError | OptionsError>
  <A = string>(options: PromptOptions<A>): Effect.Effect<Prompt<A>, BatchError | OptionsError>
} = prompts.make

/**
 * A journal in a file: JSON lines, the first of which is the run's identity, appended to and never rewritten. A record is
 * one write, so a crash loses at most a torn last line, which is recognised. Made if it is not there. One run at a time has
 * it, by a lock file beside it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const journal: (path: string, options?: JournalOptions) => Journal = fileJournal.make

/**
 * Answers in a directory, shared by runs and processes: append-only files of JSON lines. Made if it is not there.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cache: (directory: string) => Cache = directoryCache.make

/**
 * Reads a journal in a file without its lock, also while a run has it: for those who look on. The file is open until the
 * scope closes. Takes 31 bytes of memory a record.
 *
 * @since 0.1.0
 * @category accessors
 */
export const readJournal: (path: string) => Effect.Effect<JournalReading, BatchError, Scope.Scope> = reading.read

/**
 * The current records of a journal in a file, oldest first, without a lock: of two for one row the later. `row` is absent.
 *
 * @since 0.1.0
 * @category accessors
 */
export const records: (path: string) => Stream.Stream<Result<undefined, unknown>, BatchError> = reading.records

/**
 * The package's price of a model, under `prices` if given; `undefined` if it is unknown.
 *
 * @since 0.1.0
 * @category accessors
 */
export const priceOf: (model: string, prices?: Prices) => Price | undefined = pricing.priceOf

/**
 * Date of the package's prices.
 *
 * @since 0.1.0
 * @category accessors
 */
export const pricesAsOf: string = pricing.PRICES_AS_OF
