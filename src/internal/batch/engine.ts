/**
 * The state of a run. Rows are read ahead a little, begin as slots come free, and are finished when their record is
 * written; results go out in order, and what can't go out yet holds back what would begin.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type { Stats } from "../../ClientMap.ts"
import { clearInterval, Date, performance, setInterval } from "../util/timers.ts"
import { CachedAnswers } from "./cache/cachedAnswers.ts"
import { ConcurrencyLimit } from "./concurrency.ts"
import { Budget } from "./cost/budget.ts"
import { BadRow, BatchError } from "./errors.ts"
import { type AgentFailure, failureOf } from "./failure.ts"
import { queuedIn } from "./heldBack.ts"
import type { CacheStore, JournalStore } from "./journal/model.ts"
import { lineOf, resultOf } from "./journal/record.ts"
import { RecordWriter } from "./journal/recordWriter.ts"
import type { Call, Result } from "./model.ts"
import { DEFAULT_HOLD_BACK, type Settings } from "./options.ts"
import { Output } from "./output.ts"
import { progressOf } from "./progress.ts"
import { Intake, type Intaken } from "./rows/intake.ts"
import { idOf } from "./rows/rowIdentity.ts"
import type { RowIndex } from "./rows/rowIndex.ts"
import type { RowSource } from "./rows/rowSource.ts"
import { Tally } from "./tally.ts"
import { Task, type TaskRow } from "./task.ts"

/** Rows that wait for a slot. */
const READ_AHEAD = 64
/** Records that are read from the journal at once. */
const RESTORED_AT_ONCE = 256
const TICK_MS = 100
/** Rows that must have ended before their share of failures counts. */
const MIN_ROWS_FOR_SHARE = 100
const CLOSE_TIMEOUT_MS = 10_000

type AnyResult = Result<unknown, unknown>

export interface EngineDeps<R> {
  readonly settings: Settings
  readonly agent: (row: unknown, call: Call) => Effect.Effect<unknown, unknown, R>
  readonly runtime: Runtime.Runtime<R>
  readonly store: JournalStore | undefined
  /** With the records of `store` in it. */
  readonly index: RowIndex | undefined
  readonly cache: CacheStore | undefined
  readonly earlierCost: number
  readonly damaged: number
  /** Of the client map, if there is one. */
  readonly stats: () => Stats | undefined
}

type Ended = "complete" | "drained" | "failed" | "interrupted"

export class Engine<R> {
  readonly #deps: EngineDeps<R>
  readonly #settings: Settings
  readonly #intake: Intake
  readonly #writer: RecordWriter | undefined
  readonly #budget: Budget | undefined
  readonly #cached: CachedAnswers | undefined
  readonly #limit: ConcurrencyLimit
  readonly #tally = new Tally(performance.now())
  readonly #fibers = new Set<Fiber.RuntimeFiber<void>>()
  readonly #fork: (worker: Effect.Effect<void, never, R>) => Fiber.RuntimeFiber<void>
  readonly output: Output
  /** Rows that wait, the first at `#head`. */
  #queue: Array<Task> = []
  #head = 0
  /** Rows that were refused and wait to be done again. */
  #again: Array<Task> = []
  #running = 0
  #unwritten = 0
  #isInputOver = false
  #inputCause: Cause.Cause<unknown> | undefined
  #stopping: { readonly error: BatchError | undefined } | undefined
  /** The account is refused: when the next row is tried. */
  #refused: { readonly detail: string; probeAt: number } | undefined
  #lacksBudget = false
  #wakeReader: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #shownAt = -Infinity
  #stats: Stats | undefined
  #ended: Ended | undefined

  constructor(deps: EngineDeps<R>) {
    const { settings, store } = deps
    this.#deps = deps
    this.#settings = settings
    this.#intake = new Intake(settings, deps.index)
    this.#writer = store === undefined ? undefined : new RecordWriter(store, (error) => this.#abort(error))
    this.#budget = settings.maxCost === undefined ? undefined : new Budget(settings.maxCost, deps.earlierCost)
    this.#cached = deps.cache === undefined ? undefined : new CachedAnswers(deps.cache, settings)
    this.#limit = new ConcurrencyLimit(settings.concurrency)
    this.#fork = Runtime.runFork(deps.runtime)
    this.#tally.earlierCost = deps.earlierCost
    this.#tally.damaged = deps.damaged
    this.output = new Output(settings.order, () => this.#onRoom())
  }

  /** Reads all rows. Never fails: what fails is the output's end. */
  read<E>(source: RowSource<E, R>): Effect.Effect<void, never, R> {
    return Effect.matchCause(this.#readAll(source), {
      onFailure: (cause) => {
        if (!Cause.isInterruptedOnly(cause)) this.#inputCause = cause
        this.#endInput()
      },
      onSuccess: () => this.#endInput()
    })
  }

  /** Begins no further row; the run ends with those in flight. */
  stop(error?: BatchError): void {
    if (this.#stopping !== undefined || this.#ended !== undefined) return
    this.#stopping = { error }
    for (const { sequence } of [...this.#again, ...this.#queue.slice(this.#head)]) this.output.skip(sequence)
    this.#queue = []
    this.#head = 0
    this.#again = []
    this.#endIfIdle()
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Interrupts what runs, and writes what is finished. Bounded, and never fails. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#end("interrupted", undefined)
    const written = Effect.promise(() => this.#writer?.flush() ?? Promise.resolve())
    return Effect.zipRight(Fiber.interruptAll(this.#fibers), Effect.timeoutOption(written, CLOSE_TIMEOUT_MS))
  })

  #readAll<E>(source: RowSource<E, R>): Effect.Effect<void, BatchError | E, R> {
    const self = this
    return Effect.gen(function* () {
      for (;;) {
        if (!self.#hasRoom) yield* self.#untilRoom
        const rows = yield* source(Math.max(1, READ_AHEAD - self.#waiting))
        if (rows === undefined) return
        let at = 0
        while (at < rows.length) {
          const restored: Array<Intaken> = []
          while (at < rows.length && restored.length < RESTORED_AT_ONCE && self.#hasRoom) {
            const lacking = self.#lacking(rows[at])
            if (lacking !== undefined) return yield* lacking
            self.#intake.add(rows[at++], (intaken) => self.#take(intaken, restored))
          }
          if (restored.length > 0) yield* self.#restore(restored)
          self.#pump()
          if (at < rows.length && !self.#hasRoom) yield* self.#untilRoom
        }
      }
    })
  }

  /** The first row tells of a column that all will lack, before anything is sent. */
  #lacking(row: unknown): BatchError | undefined {
    const { prompt } = this.#settings
    const isRow = typeof row === "object" && row !== null && !(row instanceof BadRow)
    if (this.#intake.rows > 0 || prompt === undefined || !isRow) return undefined
    const column = prompt.lacks(row)
    if (column === undefined) return undefined
    const columns = Object.keys(row).join(", ")
    return new BatchError({
      reason: "Template",
      detail: `the prompt names the column ${column}, which the rows lack; they have ${columns || "none"}. Nothing was sent`
    })
  }

  #take(intaken: Intaken, restored: Array<Intaken>): void {
    const { failure, isChanged, position, recordedTag, task } = intaken
    this.#tally.read++
    if (isChanged) this.#tally.changed++
    if (position === undefined) {
      const own = this.#taskOf(task)
      if (failure === undefined) this.#queue.push(own)
      else this.#finish(own, own.failed(failure, 0, 0))
    } else if (this.#settings.replay) restored.push(intaken)
    else {
      this.#tally.restore(recordedTag)
      this.output.skip(task.sequence)
    }
  }

  #taskOf(row: TaskRow): Task {
    return new Task(row, this.#settings.priceOf)
  }

  #restore(restored: ReadonlyArray<Intaken>): Effect.Effect<void, BatchError> {
    return Effect.map(this.#deps.store!.read(restored.map(({ position }) => position!)), (lines) => {
      restored.forEach(({ task }, i) => {
        const line = lines[i]
        const result = line === undefined ? undefined : resultOf(line)
        if (result === undefined) {
          this.#tally.damaged++
          this.#queue.push(this.#taskOf(task))
          return
        }
        this.#tally.restore(result.status === "failed" ? result.reason.tag : undefined)
        const { index, key, row, sequence } = task
        this.output.give(sequence, { ...result, index, key, row: row as never })
      })
    })
  }

  #endInput(): void {
    this.#isInputOver = true
    this.#pump()
    this.#endIfIdle()
  }

  get #waiting(): number {
    return this.#queue.length - this.#head
  }

  get #holdBack(): number {
    return this.#settings.holdBack ?? Math.max(DEFAULT_HOLD_BACK, 2 * this.#limit.limit)
  }

  get #held(): number {
    return this.#unwritten + this.output.held
  }

  get #hasRoom(): boolean {
    return this.#stopping === undefined && this.#waiting < READ_AHEAD && this.#held < this.#holdBack
  }

  readonly #untilRoom: Effect.Effect<void> = Effect.async((resume) => {
    if (this.#hasRoom) return resume(Effect.void)
    this.#wakeReader = () => resume(Effect.void)
  })

  #onRoom(): void {
    this.#pump()
    if (this.#wakeReader === undefined || !this.#hasRoom) return
    const wake = this.#wakeReader
    this.#wakeReader = undefined
    wake()
  }

  #pump(): void {
    for (let task = this.#admit(); task !== undefined; task = this.#admit()) {
      const fiber = this.#fork(this.#worker(task))
      this.#fibers.add(fiber)
      fiber.addObserver(() => this.#fibers.delete(fiber))
    }
  }

  /** The next row, if it may begin now. */
  #admit(): Task | undefined {
    if (this.#stopping !== undefined || this.#ended !== undefined || this.#running >= this.#limit.limit)
      return undefined
    if (this.#refused !== undefined && (this.#running > 0 || performance.now() < this.#refused.probeAt))
      return undefined
    const task = this.#again.at(-1) ?? this.#queue[this.#head]
    if (task === undefined) return undefined
    // The one that all held results wait for begins whatever is held.
    if (this.#running + this.#held >= this.#holdBack && task.sequence !== this.output.next) return undefined
    if (!this.#reserve(task)) return undefined
    if (this.#again.length > 0) this.#again.pop()
    else this.#shift()
    this.#running++
    task.startedAt = performance.now()
    return task
  }

  #shift(): void {
    this.#head++
    if (this.#head < READ_AHEAD && this.#head < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#head)
    this.#head = 0
    if (this.#wakeReader !== undefined && this.#hasRoom) this.#onRoom()
  }

  #reserve(task: Task): boolean {
    const { prompt, priceOf } = this.#settings
    if (this.#budget === undefined || prompt === undefined) return true
    if (task.most === 0) task.most = prompt.most(priceOf(undefined)!, task.row) ?? 0
    this.#lacksBudget = !this.#budget.reserve(task.most)
    if (this.#lacksBudget && this.#running === 0) this.stop(this.#overBudget(task.most))
    return !this.#lacksBudget
  }

  #overBudget(most: number): BatchError {
    const dollars = (value: number): string => `$${value.toPrecision(3)}`
    const { maxCost } = this.#settings
    return new BatchError({
      reason: "MaxCost",
      detail:
        `maxCost of ${dollars(maxCost!)} leaves ${dollars(Math.max(0, this.#budget!.left))}, and the next row may cost ` +
        `${dollars(most)}. Raise it and run again, which goes on from here`
    })
  }

  #worker(task: Task): Effect.Effect<void, never, R> {
    const run = Effect.suspend(() => this.#deps.agent(task.row, task))
    return Effect.flatMap(Effect.exit(this.#cached?.around(task, run) ?? run), (exit) => {
      this.#settle(task, exit)
      const next = this.#admit()
      this.#pump()
      return next === undefined ? Effect.void : this.#worker(next)
    })
  }

  #settle(task: Task, exit: Exit.Exit<unknown, unknown>): void {
    this.#running--
    const ms = performance.now() - task.startedAt
    if (Exit.isSuccess(exit)) {
      this.#refused = undefined
      this.#tally.agentRuns++
      this.#conclude(task, task.done(exit.value, ms))
      return
    }
    const failure = failureOf(exit.cause)
    task.addAttempts(failure.attempts)
    const isRefused =
      failure.refuses === "always" || (failure.refuses === "unless_answered" && this.#tally.agentRuns === 0)
    if (isRefused) return this.#refuse(task, failure)
    this.#refused = undefined
    this.#tally.agentRuns++
    this.#tally.agentFailures++
    this.#conclude(task, task.failed(failure.reason, task.costIf(failure.isFree), ms))
    this.#stopIfFailing()
  }

  /** An agent has ended. */
  #conclude(task: Task, result: AnyResult): void {
    this.#budget?.settle(task.most, result.cost)
    this.#finish(task, result)
  }

  #refuse(task: Task, { reason }: AgentFailure): void {
    this.#budget?.settle(task.most, task.costIf(true) ?? 0)
    const detail = `the account is refused (${reason.tag}): ${reason.message}`
    if (!this.#settings.pauses) {
      this.output.skip(task.sequence)
      const what = "Rows that met it are not recorded; put it right and run again, which goes on from here"
      this.stop(new BatchError({ reason: "Refused", detail: `${detail}. ${what}` }))
      this.#endIfIdle()
      return
    }
    this.#refused = { detail, probeAt: performance.now() + this.#settings.probeInterval }
    if (this.#stopping !== undefined) return this.#endIfIdle()
    task.reset()
    this.#again.push(task)
    this.#again.sort((a, b) => b.sequence - a.sequence)
  }

  #stopIfFailing(): void {
    const { agentFailures: failures, agentRuns: rows } = this.#tally
    const { maxFailures, maxShare } = this.#settings
    const isShare = rows >= MIN_ROWS_FOR_SHARE && failures / rows >= maxShare
    if (failures < maxFailures && !isShare) return
    const most = [...this.#tally.failures].sort(([, a], [, b]) => b - a)[0]?.[0]
    const mostly = most === undefined ? "" : `, most often with ${most}`
    const detail = `${failures} of ${rows} rows failed${mostly}, which stopAfter does not allow`
    this.stop(new BatchError({ reason: "Failures", detail }))
  }

  /** Records a result, then gives it. */
  #finish(task: Task, result: AnyResult): void {
    const { hash } = task
    if (this.#writer === undefined || hash === undefined) return this.#give(task, result)
    const [line, recorded] = recordOf(task, result)
    this.#unwritten++
    this.#writer.add(line, (position) => {
      this.#unwritten--
      this.#deps.index!.record(hash, recorded.status === "failed" ? recorded.reason.tag : undefined, position)
      this.#give(task, recorded)
    })
  }

  #give(task: Task, result: AnyResult): void {
    this.#tally.end(result)
    this.output.give(task.sequence, result)
    this.#endIfIdle()
  }

  get #isIdle(): boolean {
    if (this.#running > 0 || this.#unwritten > 0) return false
    return this.#stopping !== undefined || (this.#isInputOver && this.#waiting === 0 && this.#again.length === 0)
  }

  #endIfIdle(): void {
    if (!this.#isIdle) return
    const error = this.#stopping?.error
    const cause = error === undefined ? this.#inputCause : Cause.fail(error)
    this.#end(cause !== undefined ? "failed" : this.#stopping === undefined ? "complete" : "drained", cause)
  }

  /** What fails now can't be recorded, so nothing is waited for. */
  #abort(error: BatchError): void {
    this.#end("failed", Cause.fail(error))
  }

  #end(ended: Ended, cause: Cause.Cause<unknown> | undefined): void {
    if (this.#ended !== undefined) return
    this.#ended = ended
    clearInterval(this.#timer)
    this.#show()
    this.output.end(cause)
  }

  #tick(): void {
    const now = performance.now()
    this.#stats = this.#deps.stats()
    const queued = this.#stats === undefined ? 0 : queuedIn(this.#stats)
    this.#limit.adapt({ now, queued, running: this.#running, ended: this.#tally.ended })
    this.#tally.sample(now)
    this.#onRoom()
    if (now - this.#shownAt >= this.#settings.progressInterval) {
      this.#shownAt = now
      this.#show()
    }
  }

  #show(): void {
    const { onProgress, repeat, total } = this.#settings
    if (onProgress === undefined) return
    const rows = total === undefined ? (this.#isInputOver ? this.#intake.rows : undefined) : total
    try {
      onProgress(
        progressOf({
          tally: this.#tally,
          now: performance.now(),
          total: rows === undefined ? undefined : rows * repeat,
          running: this.#running,
          waiting: this.#waiting + this.#again.length,
          unwritten: this.#unwritten,
          held: this.#held,
          holdBack: this.#holdBack,
          limit: this.#limit,
          isInputOver: this.#isInputOver,
          refused: this.#refused?.detail,
          probeAt: this.#refused === undefined ? undefined : Date.now() + this.#refused.probeAt - performance.now(),
          lacksBudget: this.#lacksBudget,
          stats: this.#stats,
          ended: this.#ended
        })
      )
    } catch {
      // A display that fails is no reason to end a run.
    }
  }
}

/** The record of a result. One that JSON can't hold is a failure. */
const recordOf = (task: Task, result: AnyResult): readonly [line: string, recorded: AnyResult] => {
  const id = idOf(task.hash!)
  try {
    return [lineOf(id, result as never, Date.now()), result]
  } catch (error) {
    const message = `JSON can't hold the agent's value: ${error instanceof Error ? error.message : String(error)}`
    const failed = task.failed({ tag: "value", message }, result.cost, result.ms)
    return [lineOf(id, failed as never, Date.now()), failed]
  }
}
