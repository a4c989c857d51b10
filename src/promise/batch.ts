/**
 * One agent for every row of a data set, for code without Effect: rows in, results out, as async iterables. The same engine,
 * journal and options as `clientele/Batch`, over the process's default set of clients.
 *
 * @example
 * ```ts
 * import { prompt, run } from "clientele/promise/batch"
 *
 * const rows = [{ title: "Alien" }, { title: "Brazil" }]
 * const agent = await prompt({ model: "groq:llama-3.3-70b-versatile", prompt: "Sum up the film {{title}}." })
 *
 * for await (const result of run({ rows, agent, journal: "films.journal.jsonl" })) {
 *   if (result.status === "done") console.log(result.row.title, result.value)
 *   else console.error(result.row.title, result.reason.message)
 * }
 * ```
 *
 * An agent may be any async function; `call.signal` aborts it, and `call.report` counts the usage of an answer.
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Batch from "../Batch.ts"
import { agentOf, BatchResults, untilAborted } from "../internal/promise/batchRun.ts"
import { setOf } from "../internal/promise/set.ts"
import type { Clients } from "../Promise.ts"

export { BadRow, BatchError, RowFailure } from "../Batch.ts"
export type { Call, Progress, Prompt, Result, Usage } from "../Batch.ts"

/**
 * A row's place in the run, given to its agent beside the row.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseCall extends Batch.Call {
  /** Aborted when the run ends before the agent has. */
  readonly signal: AbortSignal
}

type Same = Omit<
  Batch.RunOptions<unknown, unknown, unknown, unknown, unknown, unknown>,
  "rows" | "agent" | "key" | "journal" | "cache" | "drainWhen"
>

/**
 * Options of a run.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions<Row, A> extends Same {
  /** Any number of rows; they are read as they are needed. A `BadRow` among them is recorded as a failure. */
  readonly rows: Iterable<Row | Batch.BadRow> | AsyncIterable<Row | Batch.BadRow>
  /** An agent of `prompt`, or any function of a row. */
  readonly agent: Batch.Prompt<A> | ((row: Row, call: PromiseCall) => PromiseLike<A> | A)
  /** The row's identity: a column's name, or a function. @default the row's content */
  readonly key?: string | ((row: Row) => string | number) | undefined
  /** A path, or a `Batch.journal`. @default none */
  readonly journal?: string | Batch.Journal | undefined
  /** A directory, or a `Batch.cache`. @default none */
  readonly cache?: string | Batch.Cache | undefined
  /** Stops at once: rows in flight are aborted, and the iteration rejects with the signal's reason. @default none */
  readonly signal?: AbortSignal | undefined
  /** Begins no further row: the iteration ends when those in flight have. @default none */
  readonly drainSignal?: AbortSignal | undefined
  /** @default the process's default set */
  readonly clients?: Clients | undefined
}

/**
 * Options of a prompt, with the key as plain text.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromptOptions<A> extends Omit<Batch.PromptOptions<A>, "client"> {
  /** Options of the client: `apiKey`, `baseURL`, `quota`, `transport`, ... @default the environment's */
  readonly client?: Readonly<Record<string, unknown>> | undefined
}

const prepared = <Row, A>(options: RunOptions<Row, A>) => {
  const { agent, cache, clients: _, drainSignal, journal, rows, signal: __, ...same } = options
  return Batch.run({
    ...same,
    rows,
    agent: agentOf(agent as never),
    journal: typeof journal === "string" ? Batch.journal(journal) : journal,
    cache: typeof cache === "string" ? Batch.cache(cache) : cache,
    drainWhen: drainSignal === undefined ? undefined : untilAborted(drainSignal)
  } as Batch.RunOptions<unknown, unknown, unknown, never, never, never>)
}

/**
 * Runs an agent for each row. The run begins with the first `next`, and ends with the loop: leaving that early aborts the
 * rows in flight. Rejects with a `BatchError`, after all results that were finished, and with what `rows` throw.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = <Row, A>(options: RunOptions<Row, A>): AsyncIterableIterator<Batch.Result<Row, A>, undefined> => {
  const { clients, signal } = options
  return new BatchResults(prepared(options), () => setOf(clients).service(), signal) as never
}

/**
 * An agent made of a template, over the provider's direct door. Rejects with a `BatchError` or `OptionsError`; nothing is
 * sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const prompt = async <A = string>(options: PromptOptions<A>): Promise<Batch.Prompt<A>> => {
  const { client = {}, ...same } = options
  const { apiKey } = client
  const redacted = typeof apiKey === "string" ? { ...client, apiKey: Redacted.make(apiKey) } : client
  const made = await Effect.runPromise(
    Effect.either(Batch.prompt<A>({ ...same, client: redacted } as Batch.PromptOptions<A>))
  )
  if (Either.isLeft(made)) throw made.left
  return made.right
}
