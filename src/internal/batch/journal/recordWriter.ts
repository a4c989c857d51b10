/** Gathers records and writes many with one call: those that were finished within a few milliseconds, or during a write. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import { clearTimeout, setTimeout } from "../../util/timers.ts"
import { BatchError } from "../errors.ts"
import type { JournalStore } from "./model.ts"

/** At most 200 writes a second, each of which costs as much as a few rows. */
const GATHER_MS = 5
/** Gathered bytes that are written at once. */
const MAX_GATHERED = 1 << 20

type Written = (position: number) => void

const asBatchError = (cause: Cause.Cause<BatchError>): BatchError => {
  const error = Cause.squash(cause)
  if (error instanceof BatchError) return error
  return new BatchError({ reason: "Journal", detail: `the journal failed: ${String(error)}`, cause: error })
}

export class RecordWriter {
  readonly #store: Pick<JournalStore, "append">
  readonly #onError: (error: BatchError) => void
  #lines: Array<string> = []
  #written: Array<Written> = []
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #isWriting = false
  #failed = false
  #idle: Array<() => void> = []

  constructor(store: Pick<JournalStore, "append">, onError: (error: BatchError) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** Records that wait to be written. */
  get gathered(): number {
    return this.#lines.length
  }

  /** `written` is called once the record is in the store, with its position; never after an error. */
  add(line: string, written: Written): void {
    if (this.#failed) return
    this.#lines.push(line)
    this.#written.push(written)
    this.#bytes += line.length
    if (this.#isWriting) return
    if (this.#bytes >= MAX_GATHERED) this.#write()
    else this.#timer ??= setTimeout(() => this.#write(), GATHER_MS)
  }

  /** Writes what was gathered, and resolves once nothing is left to write, or can be. */
  flush(): Promise<void> {
    if (!this.#isWriting) this.#write()
    if (!this.#isWriting) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#lines.length === 0 || this.#failed) {
      for (const resolve of this.#idle.splice(0)) resolve()
      return
    }
    const [lines, written] = [this.#lines, this.#written]
    this.#lines = []
    this.#written = []
    this.#bytes = 0
    this.#isWriting = true
    Effect.runCallback(this.#store.append(lines), {
      onExit: (exit) => {
        this.#isWriting = false
        if (Exit.isSuccess(exit)) written.forEach((done, i) => done(exit.value[i]!))
        else if (!this.#failed) {
          this.#failed = true
          this.#onError(asBatchError(exit.cause))
        }
        // Records that came meanwhile wait no longer for others, if somebody waits for them.
        if (this.#idle.length > 0 || this.#bytes >= MAX_GATHERED) this.#write()
        else if (this.#lines.length > 0) this.#timer ??= setTimeout(() => this.#write(), GATHER_MS)
      }
    })
  }
}
