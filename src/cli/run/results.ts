/** From rows to the file of results. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Batch from "../../Batch.ts"
import type { ClientMap } from "../../ClientMap.ts"
import type { Display } from "../display/display.ts"
import { CommandError, EXIT } from "../exit.ts"
import { STDIN } from "../input/bytes.ts"
import { MalformedRow, type Row, type RowItem } from "../input/rows.ts"
import { sampleRows } from "../input/sample.ts"
import type { RowSource } from "../input/source.ts"
import type { ResultLines } from "../output/lines.ts"
import { ResultFile } from "../output/resultFile.ts"
import type { Interrupts } from "./interrupts.ts"
import { numbered, type OpenedRun, runJournal } from "./journal.ts"
import type { RunPlan } from "./plan.ts"
import type { RunReport } from "./report.ts"
import type { Work } from "./work.ts"

/** A run with all that it needs. */
export interface PreparedRun {
  readonly plan: RunPlan
  readonly source: RowSource
  readonly work: Work
  readonly lines: ResultLines
  readonly display: Display
  readonly report: RunReport
  readonly interrupts: Interrupts
}

/** Runs what may throw a `CommandError`. */
export const attempt = <A>(f: () => A | Promise<A>): Effect.Effect<A, CommandError> =>
  Effect.tryPromise({
    try: async () => f(),
    catch: (error) => (error instanceof CommandError ? error : new CommandError(String(error), EXIT.io))
  })

const asBatchRow = (item: RowItem): Row | Batch.BadRow =>
  item instanceof MalformedRow ? new Batch.BadRow({ message: item.message, raw: item.raw }) : item

/** Rows whose end is not waited for where no more are wanted: a pipe may give the next one never. */
const unawaited = <A>(rows: AsyncIterable<A>): AsyncIterable<A> => ({
  [Symbol.asyncIterator]: () => {
    const iterator = rows[Symbol.asyncIterator]()
    return {
      next: () => iterator.next(),
      return: () => {
        iterator.return?.().catch(() => undefined)
        return Promise.resolve({ done: true, value: undefined })
      }
    }
  }
})

const batchRows = (source: RowSource, plan: RunPlan): Stream.Stream<Row | Batch.BadRow, CommandError> => {
  const { sample, seed } = plan.rows
  const chunks = sample === undefined ? source.rows : sampleRows(source.rows, sample, seed)
  const read = Stream.fromAsyncIterable(unawaited(chunks), (error) =>
    error instanceof CommandError ? error : new CommandError(String(error), EXIT.io)
  )
  return Stream.flattenIterables(Stream.map(read, (items) => items.map(asBatchRow)))
}

const totalOf = (source: RowSource, { repeat, rows }: RunPlan): ReturnType<RowSource["total"]> => {
  const total = source.total()
  if (total === undefined) return undefined
  return { rows: Math.min(total.rows, rows.sample ?? Infinity) * repeat, isExact: total.isExact }
}

type RowResults = Stream.Stream<Batch.Result<Row | Batch.BadRow, unknown>, Batch.BatchError | CommandError, ClientMap>

const resultsOf = (
  prepared: PreparedRun,
  onOpen: (run: OpenedRun) => Effect.Effect<void, CommandError>
): RowResults => {
  const { display, interrupts, plan, report, source, work } = prepared
  const { bounds, cache, journal, out, repeat, retryFailed, rows } = plan
  const exact = totalOf(source, plan)
  return Batch.run({
    rows: batchRows(source, plan),
    agent: work.agent,
    version: work.version,
    key: rows.key,
    concurrency: bounds.concurrency,
    order: out.order,
    repeat,
    journal: journal === undefined ? undefined : runJournal(journal, onOpen),
    retryFailed,
    cache: cache === undefined ? undefined : Batch.cache(cache),
    stopAfter: bounds.stopAfter,
    whenRefused: bounds.whenRefused,
    maxCost: bounds.maxCost,
    prices: bounds.prices,
    drainWhen: interrupts.drain,
    total: exact?.isExact === true ? exact.rows / repeat : undefined,
    onProgress: (progress) => {
      report.sample(progress)
      display.show({ progress, total: totalOf(source, plan), isDraining: interrupts.exitCode() !== undefined })
    }
  })
}

/** The file of results, once the journal is this run's. */
class Projection {
  readonly #prepared: PreparedRun
  #file: ResultFile | undefined

  constructor(prepared: PreparedRun) {
    this.#prepared = prepared
  }

  readonly open = ({ isOld, number }: OpenedRun): Effect.Effect<void, CommandError> =>
    attempt(() => {
      const { lines, plan, report } = this.#prepared
      const { file, overwrite } = plan.out
      const own = file === STDIN ? file : numbered(file, number)
      report.opened(own, plan.journal === undefined ? undefined : numbered(plan.journal.file, number))
      this.#file = ResultFile.open({ file: own, header: lines.header, mayReplace: overwrite || isOld })
    })

  readonly write = (results: Iterable<Batch.Result<Row | Batch.BadRow, unknown>>): Effect.Effect<void, CommandError> =>
    attempt(() => {
      const { lines, report } = this.#prepared
      for (const result of results) report.add(result)
      return this.#file?.write(lines.text(results))
    })

  /** After the last row. Without a result, the header is written alone. */
  readonly finish: Effect.Effect<void, CommandError> = attempt(() => this.#file?.close())

  /** After a failure, which says more than one of this file. A file without a result is left as it was. */
  readonly break: Effect.Effect<void> = Effect.suspend(() =>
    this.#file?.hasBegun === true ? Effect.ignore(this.finish) : Effect.sync(() => this.#file?.abandon())
  )
}

/** Runs it to its end. What has come by then is written, whatever ends it. */
export const toFile = (prepared: PreparedRun): Effect.Effect<void, Batch.BatchError | CommandError, ClientMap> =>
  Effect.suspend(() => {
    const projection = new Projection(prepared)
    const hasJournal = prepared.plan.journal !== undefined
    const opened = hasJournal ? Effect.void : projection.open({ number: 1, isOld: false })
    return opened.pipe(
      Effect.zipRight(Stream.runForEachChunk(resultsOf(prepared, projection.open), projection.write)),
      Effect.matchCauseEffect({
        onSuccess: () => projection.finish,
        onFailure: (cause) => Effect.zipRight(projection.break, Effect.failCause(cause))
      }),
      Effect.onInterrupt(() => projection.break)
    )
  })
