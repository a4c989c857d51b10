/** Runs a plan: rows in, results out, shown as it goes, with an exit code. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import * as Batch from "../../Batch.ts"
import * as ClientLayer from "../../ClientLayer.ts"
import * as ClientMap from "../../ClientMap.ts"
import type { OptionsError } from "../../ClientError.ts"
import { type Display, jsonDisplay, logDisplay, quietDisplay } from "../display/display.ts"
import { CommandError, EXIT, type ExitCode } from "../exit.ts"
import { STDIN } from "../input/bytes.ts"
import { MalformedRow, type Row, type RowItem } from "../input/rows.ts"
import { sampleRows } from "../input/sample.ts"
import { openSource, type RowSource } from "../input/source.ts"
import { type ResultLines, resultLines } from "../output/lines.ts"
import { ResultFile } from "../output/resultFile.ts"
import { checkColumns } from "./columns.ts"
import { dryRun } from "./dryRun.ts"
import { type Interrupts, listen } from "./interrupts.ts"
import type { RunPlan } from "./plan.ts"
import { type RunEnd, RunReport } from "./report.ts"
import { makeWork, type Work } from "./work.ts"

type RunError = CommandError | Batch.BatchError | OptionsError

const BATCH_EXITS: Readonly<Record<Batch.BatchError["reason"], ExitCode>> = {
  Options: EXIT.usage,
  Template: EXIT.usage,
  Changed: EXIT.usage,
  Locked: EXIT.locked,
  Journal: EXIT.io,
  Input: EXIT.io,
  Failures: EXIT.stopped,
  MaxCost: EXIT.stopped,
  Refused: EXIT.stopped
}

const exitOf = (error: RunError): ExitCode =>
  error instanceof CommandError ? error.exitCode : error._tag === "BatchError" ? BATCH_EXITS[error.reason] : EXIT.usage

const attempt = <A>(f: () => A | Promise<A>): Effect.Effect<A, CommandError> =>
  Effect.tryPromise({
    try: async () => f(),
    catch: (error) => (error instanceof CommandError ? error : new CommandError(String(error), EXIT.io))
  })

const displayOf = async ({ display, out, rows }: RunPlan, work: Work): Promise<Display> => {
  if (display === "quiet") return quietDisplay
  // Standard output is for results, where they go there.
  if (display === "json") return jsonDisplay(out.file === STDIN ? process.stderr : process.stdout)
  if (process.stderr.isTTY !== true) return logDisplay(process.stderr)
  const { terminalDisplay } = await import("../display/terminal.ts")
  return terminalDisplay(`${rows.file} -> ${out.file}   ${work.name}`, process.stderr)
}

const batchRows = (source: RowSource, plan: RunPlan): Stream.Stream<Row | Batch.BadRow, CommandError> => {
  const { sample, seed } = plan.rows
  const chunks = sample === undefined ? source.rows : sampleRows(source.rows, sample, seed)
  const read = Stream.fromAsyncIterable(chunks, (error) =>
    error instanceof CommandError ? error : new CommandError(String(error), EXIT.io)
  )
  const asBatchRow = (item: RowItem): Row | Batch.BadRow =>
    item instanceof MalformedRow ? new Batch.BadRow({ message: item.message, raw: item.raw }) : item
  return Stream.flattenIterables(Stream.map(read, (items) => items.map(asBatchRow)))
}

const totalOf = (source: RowSource, { repeat, rows }: RunPlan): ReturnType<RowSource["total"]> => {
  const total = source.total()
  if (total === undefined) return undefined
  return { rows: Math.min(total.rows, rows.sample ?? Infinity) * repeat, isExact: total.isExact }
}

interface Running {
  readonly plan: RunPlan
  readonly source: RowSource
  readonly work: Work
  readonly display: Display
  readonly report: RunReport
  readonly interrupts: Interrupts
}

const results = (running: Running) => {
  const { display, interrupts, plan, report, source, work } = running
  const { bounds, cache, journal, out, repeat, retryFailed, rows } = plan
  const exact = totalOf(source, plan)
  return Batch.run<Row, unknown, unknown, never, CommandError, never>({
    rows: batchRows(source, plan),
    agent: work.agent as never,
    version: work.version,
    key: rows.key,
    concurrency: bounds.concurrency,
    order: out.order,
    repeat,
    journal:
      journal === undefined
        ? undefined
        : Batch.journal(journal.file, { whenChanged: journal.whenChanged, fsync: journal.fsync }),
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

const writeResults = (running: Running, file: ResultFile, lines: ResultLines) =>
  Stream.runForEachChunk(results(running), (chunk) =>
    attempt(() => {
      for (const result of chunk) running.report.add(result)
      return file.write(lines.text(chunk))
    })
  )

/** Results that have come are written, whatever ends the run. One that is refused before its first leaves an older file as it is. */
const toFile = (running: Running, file: ResultFile, lines: ResultLines): Effect.Effect<void, RunError> =>
  Effect.matchCauseEffect(writeResults(running, file, lines), {
    onSuccess: () => attempt(() => file.close()),
    onFailure: (cause) => Effect.zipRight(closed(file), Effect.failCause(cause))
  }).pipe(Effect.onInterrupt(() => closed(file)))

/** The error that ended the run says more than one of its file. */
const closed = (file: ResultFile): Effect.Effect<void> =>
  file.hasBegun ? Effect.ignore(attempt(() => file.close())) : Effect.sync(() => file.abandon())

/** What the command's display is, once there is one. */
interface Shown {
  display: Display
}

const prepare = (plan: RunPlan, shown: Shown) =>
  Effect.gen(function* () {
    const { rows } = plan
    const source = yield* attempt(() => openSource(rows))
    const work = yield* makeWork(plan.work, process.env)
    if (work.prompt !== undefined)
      yield* attempt(() => checkColumns(source, work.prompt?.columns ?? [], "the prompt asks for"))
    if (rows.key !== undefined) yield* attempt(() => checkColumns(source, [rows.key ?? ""], "--key is"))
    const display = yield* attempt(() => displayOf(plan, work))
    shown.display = display
    for (const note of source.notes) display.note(`note: ${source.name}: ${note}`)
    return { source, work, display }
  })

const openResults = ({ journal, out, repeat }: RunPlan, source: RowSource, work: Work) =>
  attempt(async () => {
    const { columns } = source
    const lines = await resultLines({ out, columns, fields: work.fields, isRepeated: repeat > 1 })
    const mayReplace = out.overwrite || (journal !== undefined && existsSync(journal.file))
    return { lines, file: ResultFile.open({ file: out.file, header: lines.header, mayReplace }) }
  })

const program = (plan: RunPlan, args: ReadonlyArray<string>, shown: Shown) =>
  Effect.gen(function* () {
    const { display, source, work } = yield* prepare(plan, shown)
    if (plan.dryRun) return yield* attempt(() => dryRun(plan, source, work))
    const { file, lines } = yield* openResults(plan, source, work)
    const report = new RunReport(plan, args)
    const interrupts = yield* listen
    const running: Running = { plan, source, work, display, report, interrupts }
    const exit = yield* Effect.exit(Effect.raceFirst(toFile(running, file, lines), interrupts.stop))
    const end = endOf(exit)
    const code = report.exitCode(end, interrupts.exitCode())
    const { built, hits } = yield* ClientMap.stats
    const record = { ...report.record(code, end), clientsBuilt: built, clientHits: hits }
    display.end({ lines: report.summary(code), record })
    if (end !== undefined) return yield* Effect.fail(new CommandError(end.message, end.code))
    return code
  })

/** A failure that is no defect ends the command with its own line. */
const endOf = (exit: Exit.Exit<unknown, RunError>): RunEnd | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = Cause.failureOption(exit.cause)
  if (failure._tag === "None") return { message: Cause.pretty(exit.cause), code: EXIT.io }
  return { message: failure.value.message, code: exitOf(failure.value) }
}

/** Warnings of the layers below appear among the progress. */
const logger = (shown: Shown) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.logfmtLogger, (line) => shown.display.note(line))
  )

/** Resolves to the exit code. */
export const execute = async (plan: RunPlan, args: ReadonlyArray<string>): Promise<number> => {
  const shown: Shown = { display: quietDisplay }
  const main = program(plan, args, shown).pipe(
    Effect.scoped,
    Effect.provide(ClientLayer.layer()),
    Effect.provide(logger(shown)),
    Logger.withMinimumLogLevel(LogLevel.Warning)
  )
  const exit = await Effect.runPromiseExit(main)
  if (Exit.isSuccess(exit)) return exit.value
  const end = endOf(exit) ?? { message: "interrupted", code: EXIT.interrupted }
  throw new CommandError(end.message, end.code)
}
