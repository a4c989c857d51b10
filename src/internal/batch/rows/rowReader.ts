/** Reads the input: gives each row its identity, and takes what the journal has of it from there. */
import * as Effect from "effect/Effect"
import { BadRow, BatchError } from "../errors.ts"
import type { JournalStore } from "../journal/model.ts"
import { type Recorded, resultOf } from "../journal/record.ts"
import type { BatchSettings } from "../options.ts"
import type { KnownFailure, TaskRow } from "../task.ts"
import { Intake, type Intaken } from "./intake.ts"
import type { RowIndex } from "./rowIndex.ts"
import type { RowSource } from "./rowSource.ts"

/** Records that are read from the journal at once. */
const RESTORED_AT_ONCE = 256

/** Below it the reader sleeps on, so that it does not wake for every row. */
const WAKING_ROOM = 32

/** Columns that an error lists at most. */
const LISTED_COLUMNS = 50

const isReadable = (row: unknown): row is object => typeof row === "object" && row !== null && !(row instanceof BadRow)

/** Receives rows that were read. */
export interface RowSink {
  /** Rows that may be read now; 0 if there is no room. */
  readonly room: () => number
  /** Takes a row that is to be done, or that has failed before its agent runs. */
  readonly begin: (row: TaskRow, failure: KnownFailure | undefined) => void
  /** Takes a row whose record is in the journal, with its result if results are replayed. */
  readonly restore: (row: TaskRow, failed: string | undefined, result: Recorded | undefined) => void
  /** Counts a row whose content has changed under its key. */
  readonly noteChanged: () => void
  /** Counts a record that can't be read. */
  readonly noteDamaged: () => void
}

/** Rows that came together: those to be restored, and those behind the first of them that are to be done. */
interface Found {
  readonly restored: Array<Intaken>
  readonly begun: Array<Intaken>
}

type ReaderSettings = Pick<BatchSettings, "keyOf" | "keyName" | "prompt" | "repeat" | "replay" | "retries">

export class RowReader {
  readonly #settings: ReaderSettings
  readonly #store: JournalStore | undefined
  readonly #sink: RowSink
  readonly #intake: Intake
  #isChecked = false
  #wake: (() => void) | undefined

  constructor(settings: ReaderSettings, store: JournalStore | undefined, index: RowIndex | undefined, sink: RowSink) {
    this.#settings = settings
    this.#store = store
    this.#sink = sink
    this.#intake = new Intake(settings, index)
  }

  /** Rows of the input that have been read. */
  get rows(): number {
    return this.#intake.rows
  }

  /** To be called when there may be room again. */
  resume(): void {
    if (this.#wake === undefined || this.#sink.room() < WAKING_ROOM) return
    const wake = this.#wake
    this.#wake = undefined
    wake()
  }

  readonly #untilRoom: Effect.Effect<void> = Effect.async((resume) => {
    if (this.#sink.room() > 0) return resume(Effect.void)
    this.#wake = () => resume(Effect.void)
  })

  readAll<E, R>(source: RowSource<E, R>): Effect.Effect<void, BatchError | E, R> {
    const rows = Effect.flatMap(this.#untilRoom, () => source(Math.max(1, this.#sink.room())))
    return Effect.flatMap(rows, (some) =>
      some === undefined ? Effect.void : Effect.flatMap(this.#addAll(some, 0), () => this.readAll(source))
    )
  }

  #addAll(rows: ReadonlyArray<unknown>, at: number): Effect.Effect<void, BatchError> {
    if (at >= rows.length) return Effect.void
    const found: Found = { restored: [], begun: [] }
    const added = Effect.flatMap(this.#untilRoom, () => this.#addSome(rows, at, found))
    return Effect.flatMap(added, (next) =>
      Effect.flatMap(found.restored.length > 0 ? this.#restore(found) : Effect.void, () => this.#addAll(rows, next))
    )
  }

  /** Adds rows from `at` on while there is room, and returns the first that was not added. */
  #addSome(rows: ReadonlyArray<unknown>, at: number, found: Found): Effect.Effect<number, BatchError> {
    const lacking = this.#isChecked ? undefined : this.#lackingIn(rows)
    if (lacking !== undefined) return lacking
    let next = at
    const hasRoom = () => found.restored.length < RESTORED_AT_ONCE && this.#sink.room() > found.begun.length
    while (next < rows.length && hasRoom()) {
      this.#intake.add(rows[next], (intaken) => this.#take(intaken, found))
      next++
    }
    return Effect.succeed(next)
  }

  /** The first rows that come together tell of a column that all will lack, before anything is sent. */
  #lackingIn(rows: ReadonlyArray<unknown>): BatchError | undefined {
    const readable = rows.filter(isReadable)
    if (readable.length === 0) return undefined
    this.#isChecked = true
    const column = this.#settings.prompt?.lacks(readable)
    if (column === undefined) return undefined
    const columns = [...new Set(readable.flatMap(Object.keys))].slice(0, LISTED_COLUMNS).join(", ") || "none"
    return new BatchError({
      reason: "Template",
      detail: `the prompt names the column ${column}, which the rows lack; they have ${columns}. Nothing was sent`
    })
  }

  #take(intaken: Intaken, { begun, restored }: Found): void {
    const { failure, isChanged, position, recordedTag, task } = intaken
    if (isChanged) this.#sink.noteChanged()
    // A row that can't begin may end the run, so those before it are restored first.
    if (position === undefined && restored.length > 0) begun.push(intaken)
    else if (position === undefined) this.#sink.begin(task, failure)
    else if (this.#settings.replay) restored.push(intaken)
    else this.#sink.restore(task, recordedTag, undefined)
  }

  #restore({ begun, restored }: Found): Effect.Effect<void, BatchError> {
    return Effect.map(this.#store!.read(restored.map(({ position }) => position!)), (lines) => {
      restored.forEach(({ recordedTag, task }, i) => {
        const line = lines[i]
        const result = line === undefined ? undefined : resultOf(line)
        if (result !== undefined) return this.#sink.restore(task, recordedTag, result)
        this.#sink.noteDamaged()
        this.#sink.begin(task, undefined)
      })
      for (const { failure, task } of begun) this.#sink.begin(task, failure)
    })
  }
}
