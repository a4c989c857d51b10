/** Records results in the journal: a result counts once its record is written. */
import { Date } from "../util/timers.ts"
import type { BatchError } from "./errors.ts"
import type { JournalStore } from "./journal/model.ts"
import { lineOf } from "./journal/record.ts"
import { RecordWriter } from "./journal/recordWriter.ts"
import type { Result } from "./result.ts"
import { idOf } from "./rows/rowIdentity.ts"
import type { RowIndex } from "./rows/rowIndex.ts"
import type { Task } from "./task.ts"

type AnyResult = Result<unknown, unknown>

/** A result with its line. */
export interface Recordable {
  readonly line: string
  readonly result: AnyResult
}

/** One that JSON can't hold is a failure. */
const recordableOf = (task: Task, result: AnyResult): Recordable => {
  const id = idOf(task.hash!)
  try {
    return { line: lineOf(id, result as never, Date.now(), task.most), result }
  } catch (error) {
    const message = `JSON can't hold the agent's value: ${error instanceof Error ? error.message : String(error)}`
    const failed = task.failed({ tag: "value", message }, result.cost, result.ms)
    return { line: lineOf(id, failed as never, Date.now(), task.most), result: failed }
  }
}

export class Recorder {
  readonly #writer: RecordWriter | undefined
  readonly #index: RowIndex | undefined
  /** Results that wait to be written. */
  unwritten = 0

  constructor(store: JournalStore | undefined, index: RowIndex | undefined, onError: (error: BatchError) => void) {
    this.#writer = store === undefined ? undefined : new RecordWriter(store, onError)
    this.#index = index
  }

  /** `undefined` for a result that is not recorded. */
  prepare(task: Task, result: AnyResult): Recordable | undefined {
    return this.#writer === undefined || task.hash === undefined ? undefined : recordableOf(task, result)
  }

  /** Calls `written` once the record is in the store; never after an error. */
  write({ hash }: Task, { line, result }: Recordable, written: () => void): void {
    this.unwritten++
    this.#writer!.add(line, (position) => {
      this.unwritten--
      this.#index!.record(hash!, result.status === "failed" ? result.reason.tag : undefined, position)
      written()
    })
  }

  /** Resolves once nothing is left to write, or can be. */
  flush(): Promise<void> {
    return this.#writer?.flush() ?? Promise.resolve()
  }
}
