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
import { Date, performance } from "../util/timers.ts"
import { CachedAnswers } from "./cache/cachedAnswers.ts"
import { ConcurrencyLimit } from "./concurrency.ts"
import { CostBudget } from "./cost/budget.ts"
import { BatchError } from "./errors.ts"
import { type AgentFailure, failureOf } from "./failure.ts"
import type { CacheStore, JournalStore } from "./journal/model.ts"
import type { BatchProgress } from "./model.ts"
import { Monitor, type Monitored } from "./monitor.ts"
import type { RowCall, Result } from "./result.ts"
import { DEFAULT_HOLD_BACK, type BatchSettings } from "./options.ts"
import { Output } from "./output.ts"
import { Recorder } from "./recorder.ts"
import type { RowIndex } from "./rows/rowIndex.ts"
import { RowReader, type RowSink } from "./rows/rowReader.ts"
import type { RowSource } from "./rows/rowSource.ts"
import { WaitingRows } from "./rows/waitingRows.ts"
import { RunTally } from "./tally.ts"
import { Task } from "./task.ts"

/** Rows that wait for a slot. */
const READ_AHEAD = 64
/** Rows that must have ended before their share of failures counts. */
const MIN_ROWS_FOR_SHARE = 100
const CLOSE_TIMEOUT_MS = 10_000

type AnyResult = Result<unknown, unknown>

export interface EngineDeps<R> {
  readonly settings: BatchSettings
  readonly agent: (row: unknown, call: RowCall) => Effect.Effect<unknown, unknown, R>
  readonly runtime: Runtime.Runtime<R>
  readonly store: JournalStore | undefined
  /** With the records of `store` in it. */
  readonly index: RowIndex | undefined
  readonly cache: CacheStore | undefined
  readonly earlierCost: number
  /** `earlierCost`, with rows of unknown cost at their bounds. */
  readonly earlierMost: number
  readonly damaged: number
  /** Counts of the client map, if there is one. */
  readonly stats: () => Stats | undefined
}

type Ended = NonNullable<BatchProgress["ended"]>

export class Engine<R> {
  readonly #deps: EngineDeps<R>
  readonly #settings: BatchSettings
  readonly #reader: RowReader
  readonly #recorder: Recorder
  readonly #monitor: Monitor
  readonly #budget: CostBudget | undefined
  readonly #cached: CachedAnswers | undefined
  readonly #limit: ConcurrencyLimit
  readonly #tally = new RunTally(performance.now())
  readonly #fibers = new Set<Fiber.RuntimeFiber<void>>()
  readonly #fork: (worker: Effect.Effect<void, never, R>) => Fiber.RuntimeFiber<void>
  readonly output: Output
  readonly #waiting = new WaitingRows()
  #running = 0
  /** The fiber of a row that has just ended takes the next one: that costs less than another fiber. */
  #isSettling = false
  #isInputOver = false
  #inputCause: Cause.Cause<unknown> | undefined
  #stopping: { readonly error: BatchError | undefined } | undefined
  /** The account is refused: when the next row is tried. */
  #refused: { readonly detail: string; probeAt: number } | undefined
  #lacksBudget = false
  #ended: Ended | undefined

  constructor(deps: EngineDeps<R>) {
    const { index, settings, store } = deps
    this.#deps = deps
    this.#settings = settings
    this.#reader = new RowReader(settings, store, index, this.#sink)
    this.#recorder = new Recorder(store, index, (error) => this.#abort(error))
    this.#budget = settings.maxCost === undefined ? undefined : new CostBudget(settings.maxCost, deps.earlierMost)
    this.#cached = deps.cache === undefined ? undefined : new CachedAnswers(deps.cache, settings)
    this.#limit = new ConcurrencyLimit(settings.concurrency)
    this.#fork = Runtime.runFork(deps.runtime)
    this.#tally.earlierCost = deps.earlierCost
    this.#tally.damaged = deps.damaged
    const monitored = { moment: () => this.#moment(), onTick: () => this.#onRoom() }
    this.#monitor = new Monitor(settings, this.#tally, this.#limit, deps.stats, monitored)
    this.output = new Output(settings.order, settings.holdBack ?? DEFAULT_HOLD_BACK, () => this.#onRoom())
  }

  /** Reads all rows. Never fails: what fails is the output's end. */
  read<E>(source: RowSource<E, R>): Effect.Effect<void, never, R> {
    return Effect.matchCause(this.#reader.readAll(source), {
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
    for (const { sequence } of this.#waiting.clear()) this.output.skip(sequence)
    this.#endIfIdle()
  }

  start(): void {
    this.#monitor.start()
  }

  /** Interrupts what runs, and writes what is finished. Bounded, and never fails. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#end("interrupted", undefined)
    const written = Effect.promise(() => this.#recorder.flush())
    const ending = Effect.zipRight(Fiber.interruptAll(this.#fibers), written)
    // Agents that do not end are left to themselves.
    return Effect.asVoid(Effect.timeoutOption(Effect.interruptible(Effect.disconnect(ending)), CLOSE_TIMEOUT_MS))
  })

  readonly #sink: RowSink = {
    room: () => this.#room,
    begin: (row, failure) => {
      this.#tally.read++
      const task = new Task(row, this.#settings.priceOf)
      if (failure !== undefined) return this.#finish(task, task.failed(failure, 0, 0))
      this.#waiting.push(task)
      this.#pump()
    },
    restore: ({ index, key, row, sequence }, failed, result) => {
      this.#tally.read++
      this.#tally.restore(failed)
      if (result === undefined) this.output.skip(sequence)
      else this.output.give(sequence, { ...result, index, key, row: row as never })
    },
    noteChanged: () => this.#tally.changed++,
    noteDamaged: () => this.#tally.damaged++
  }

  #endInput(): void {
    this.#isInputOver = true
    this.#pump()
    this.#endIfIdle()
  }

  get #holdBack(): number {
    return this.#settings.holdBack ?? Math.max(DEFAULT_HOLD_BACK, 2 * this.#limit.limit)
  }

  get #held(): number {
    return this.#recorder.unwritten + this.output.held
  }

  get #room(): number {
    if (this.#stopping !== undefined || this.#held >= this.#holdBack) return 0
    return Math.max(0, READ_AHEAD - this.#waiting.size)
  }

  #onRoom(): void {
    if (this.#isSettling) return
    this.#pump()
    this.#reader.resume()
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
    const task = this.#waiting.first()
    if (task === undefined) return undefined
    // The one that all held results wait for begins whatever is held.
    if (this.#running + this.#held >= this.#holdBack && task.sequence !== this.output.next) return undefined
    if (!this.#reserve(task)) return undefined
    this.#waiting.shift()
    this.#running++
    task.startedAt = performance.now()
    return task
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
      this.#isSettling = true
      try {
        this.#settle(task, exit)
      } finally {
        this.#isSettling = false
      }
      const next = this.#admit()
      this.#onRoom()
      return next === undefined ? Effect.void : this.#worker(next)
    })
  }

  #settle(task: Task, exit: Exit.Exit<unknown, unknown>): void {
    this.#running--
    const ms = performance.now() - task.startedAt
    if (Exit.isSuccess(exit)) {
      this.#refused = undefined
      this.#tally.agentRuns++
      if (!task.cached) this.#tally.answered++
      this.#conclude(task, task.done(exit.value, ms))
      return
    }
    const failure = failureOf(exit.cause)
    task.addAttempts(failure.attempts)
    const isRefused =
      failure.refuses === "always" || (failure.refuses === "unless_answered" && this.#tally.answered === 0)
    if (isRefused) return this.#refuse(task, failure)
    this.#refused = undefined
    this.#tally.agentRuns++
    if (task.isAnswered) this.#tally.answered++
    this.#conclude(task, task.failed(failure.reason, task.costIf(failure.isFree), ms))
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
    this.#waiting.putBack(task)
  }

  #stopIfFailing(): void {
    const { concluded: rows, concludedFailures: failures } = this.#tally
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
    const recordable = this.#recorder.prepare(task, result)
    const concluded = recordable?.result ?? result
    this.#tally.concluded++
    if (concluded.status === "failed") this.#tally.concludedFailures++
    if (recordable === undefined) this.#give(task, concluded)
    else this.#recorder.write(task, recordable, () => this.#give(task, concluded))
    if (concluded.status === "failed") this.#stopIfFailing()
  }

  #give(task: Task, result: AnyResult): void {
    this.#tally.end(result)
    this.output.give(task.sequence, result)
    this.#endIfIdle()
  }

  get #isIdle(): boolean {
    if (this.#running > 0 || this.#recorder.unwritten > 0) return false
    return this.#stopping !== undefined || (this.#isInputOver && this.#waiting.size === 0)
  }

  #endIfIdle(): void {
    if (!this.#isIdle) return
    const error = this.#stopping?.error
    const cause = error === undefined ? this.#inputCause : Cause.fail(error)
    this.#end(cause !== undefined ? "failed" : this.#stopping === undefined ? "complete" : "drained", cause)
  }

  /** Ends at once: rows that end later could not be recorded. */
  #abort(error: BatchError): void {
    this.#end("failed", Cause.fail(error))
  }

  #end(ended: Ended, cause: Cause.Cause<unknown> | undefined): void {
    if (this.#ended !== undefined) return
    this.#ended = ended
    this.#monitor.end()
    this.output.end(cause)
  }

  #moment(): ReturnType<Monitored["moment"]> {
    const { repeat, total } = this.#settings
    const rows = total ?? (this.#isInputOver ? this.#reader.rows : undefined)
    return {
      total: rows === undefined ? undefined : rows * repeat,
      running: this.#running,
      waiting: this.#waiting.size,
      unwritten: this.#recorder.unwritten,
      held: this.#held,
      holdBack: this.#holdBack,
      isInputOver: this.#isInputOver || this.#stopping !== undefined,
      refused: this.#refused?.detail,
      probeAt: this.#refused === undefined ? undefined : Date.now() + this.#refused.probeAt - performance.now(),
      lacksBudget: this.#lacksBudget,
      ended: this.#ended
    }
  }
}

const dollars = (value: number): string => `$${value.toPrecision(3)}`
