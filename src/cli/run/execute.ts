/** Runs a plan: rows in, results out, shown as it goes, with an exit code. */
import { inspect } from "node:util"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Batch from "../../Batch.ts"
import type { OptionsError } from "../../ClientError.ts"
import * as ClientLayer from "../../ClientLayer.ts"
import * as ClientMap from "../../ClientMap.ts"
import { type Display, jsonDisplay, logDisplay, quietDisplay } from "../display/display.ts"
import { internalsOf } from "../../internal/batch/prompt/internals.ts"
import { CommandError, EXIT, type ExitCode, UsageError } from "../exit.ts"
import { STDIN } from "../input/bytes.ts"
import { openSource, type RowSource } from "../input/source.ts"
import { resultLines } from "../output/lines.ts"
import { checkColumns } from "./columns.ts"
import { dryRun } from "./dryRun.ts"
import { listen } from "./interrupts.ts"
import type { RunPlan } from "./plan.ts"
import { type RunEnd, RunReport } from "./report.ts"
import { attempt, toFile } from "./results.ts"
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

const displayOf = async ({ display, out, rows }: RunPlan, work: Work): Promise<Display> => {
  if (display === "quiet") return quietDisplay
  // Standard output is for results, where they go there.
  if (display === "json") return jsonDisplay(out.file === STDIN ? process.stderr : process.stdout)
  // Pseudo-terminals of build machines have no width.
  if (process.stderr.isTTY !== true || process.stderr.columns === 0) return logDisplay(process.stderr)
  const { terminalDisplay } = await import("../display/terminal.ts")
  return terminalDisplay(`${rows.file} -> ${out.file}   ${work.name}`, process.stderr)
}

/** The command's display, once there is one. */
interface Shown {
  display: Display
}

/** A bound on cost that can't be kept is refused. */
const checkPrice = ({ bounds }: RunPlan, { name, prompt }: Work): void => {
  if (bounds.maxCost === undefined || internalsOf(prompt)?.price(bounds.prices) !== undefined) return
  throw new UsageError(`--max-cost needs the price of ${name} at this address, which is unknown; add --prices FILE`)
}

const prepare = (plan: RunPlan, shown: Shown) =>
  Effect.gen(function* () {
    const { rows } = plan
    const source = yield* attempt(() => openSource(rows))
    const work = yield* makeWork(plan.work, process.env)
    if (work.prompt !== undefined)
      yield* attempt(() => checkColumns(source, work.prompt?.columns ?? [], "the prompt asks for"))
    if (rows.key !== undefined) yield* attempt(() => checkColumns(source, [rows.key ?? ""], "--key is"))
    yield* attempt(() => checkPrice(plan, work))
    const display = yield* attempt(() => displayOf(plan, work))
    shown.display = display
    for (const note of source.notes) display.note(`note: ${source.name}: ${note}`)
    return { source, work, display }
  })

const DRAINING = "stopping once the rows at work are done; Ctrl-C again stops at once"

const linesOf = ({ out, repeat }: RunPlan, source: RowSource, work: Work) =>
  attempt(() => resultLines({ out, columns: source.columns, fields: work.fields, isRepeated: repeat > 1 }))

const program = (plan: RunPlan, args: ReadonlyArray<string>, shown: Shown) =>
  Effect.gen(function* () {
    const { display, source, work } = yield* prepare(plan, shown)
    if (plan.dryRun) return yield* attempt(() => dryRun(plan, source, work))
    const lines = yield* linesOf(plan, source, work)
    const report = new RunReport(plan, args)
    const interrupts = yield* listen
    yield* Effect.forkScoped(
      Effect.zipRight(
        interrupts.drain,
        Effect.sync(() => display.note(DRAINING))
      )
    )
    const running = toFile({ plan, source, work, lines, display, report, interrupts })
    const exit = yield* Effect.exit(Effect.raceFirst(running, interrupts.stop))
    const end = endOf(exit)
    const code = report.exitCode(end, interrupts.exitCode())
    const { built, hits } = yield* ClientMap.stats
    const record = { ...report.record(code, end), clientsBuilt: built, clientHits: hits }
    display.end({ lines: report.summary(code, end), record })
    if (end !== undefined) return yield* Effect.fail(new CommandError(end.message, end.code))
    return code
  })

/** A failure that is no defect ends the command with its own line. */
const endOf = (exit: Exit.Exit<unknown, RunError>): RunEnd | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = Cause.failureOption(exit.cause)
  if (failure._tag === "None") return { message: Cause.pretty(exit.cause), code: EXIT.io }
  const error = failure.value
  const reason = "reason" in error ? { reason: error.reason } : {}
  return { message: error.message, code: exitOf(error), ...reason }
}

const logText = (message: unknown): string =>
  [message]
    .flat()
    .map((part) => (typeof part === "string" ? part : inspect(part)))
    .join(" ")

/** Warnings of the layers below appear among the progress. */
const logger = (shown: Shown) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => shown.display.note(`warning: ${logText(message)}`))
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
  // A pipe that is still open would keep the process.
  if (plan.rows.file === STDIN) process.stdin.destroy()
  if (Exit.isSuccess(exit)) return exit.value
  const end = endOf(exit) ?? { message: "interrupted", code: EXIT.interrupted }
  throw new CommandError(end.message, end.code)
}
