/** Gives each row its identity, and finds what the journal has of it. */
import { BadRow } from "../errors.ts"
import type { BatchSettings } from "../options.ts"
import type { KnownFailure, TaskRow } from "../task.ts"
import { canonical, hashOf, hashOfKey } from "./rowIdentity.ts"
import { FAILED, type RowEntry, type RowHash, type RowIndex, UNRECORDED } from "./rowIndex.ts"

/** A row with what is to be done with it. */
export interface Intaken {
  readonly task: TaskRow
  /** Known before its agent runs. */
  readonly failure: KnownFailure | undefined
  /** Position of its record in the journal, if that holds. */
  readonly position: number | undefined
  /** Tag of the failure in that record. */
  readonly recordedTag: string | undefined
  /** True if its record is of other content under the same key. */
  readonly isChanged: boolean
}

interface Content {
  readonly text: string
  readonly failure: KnownFailure | undefined
}

const contentOf = (row: unknown, index: number): Content => {
  if (row instanceof BadRow) {
    return { text: `bad\n${row.raw}`, failure: { tag: row.tag ?? "bad_row", message: row.message } }
  }
  try {
    return { text: canonical(row), failure: undefined }
  } catch (error) {
    const message = `JSON can't hold the row: ${error instanceof Error ? error.message : String(error)}`
    return { text: `unserializable\n${index}`, failure: { tag: "bad_row", message } }
  }
}

export class Intake {
  readonly #settings: Pick<BatchSettings, "keyOf" | "keyName" | "repeat" | "retries">
  /** Absent where nothing asks for identities. */
  readonly #index: RowIndex | undefined
  #rows = 0

  constructor(settings: Pick<BatchSettings, "keyOf" | "keyName" | "repeat" | "retries">, index: RowIndex | undefined) {
    this.#settings = settings
    this.#index = index
  }

  get rows(): number {
    return this.#rows
  }

  /** Visits the row once for each repeat. */
  add(row: unknown, visit: (intaken: Intaken) => void): void {
    const index = this.#rows++
    const { repeat } = this.#settings
    const known = this.#index
    const isBad = row instanceof BadRow
    const content = known === undefined && !isBad ? undefined : contentOf(row, index)
    const key = isBad ? undefined : this.#settings.keyOf?.(row)
    for (let number = 1; number <= repeat; number++) {
      const task = { index, repeat: number, sequence: index * repeat + number - 1, row, key, hash: undefined }
      if (known === undefined) visit({ ...fresh, task, failure: content?.failure })
      else visit(this.#identified(known, task, content!))
    }
  }

  #identified(known: RowIndex, task: TaskRow, { failure, text }: Content): Intaken {
    const { key, repeat } = task
    const isKeyed = this.#settings.keyOf !== undefined
    const hash = (number: number): RowHash => {
      if (!isKeyed) return hashOf(`${repeat}\n${number}\n${text}`)
      return hashOfKey(`${repeat}\n${number}\n${key === undefined ? `content\n${text}` : `key\n${key}`}`, text)
    }
    const first = hash(0)
    const entry = known.enter(first)
    const number = known.count(entry)
    if (number === 0) return this.#found(known, { ...task, hash: first }, entry, failure ?? this.#keyFailure(task, 0))
    const own = hash(number)
    return this.#found(known, { ...task, hash: own }, known.enter(own), failure ?? this.#keyFailure(task, number))
  }

  #keyFailure({ key, row }: TaskRow, number: number): KnownFailure | undefined {
    const { keyName, keyOf } = this.#settings
    if (keyOf === undefined || row instanceof BadRow) return undefined
    if (key === undefined) return { tag: "missing_key", message: `the row has no key: ${keyName} is absent or empty` }
    if (number === 0) return undefined
    return { tag: "duplicate_key", message: `the key ${key} has been there before; keys must be unique` }
  }

  #found(known: RowIndex, task: TaskRow, entry: RowEntry, failure: KnownFailure | undefined): Intaken {
    const state = known.stateOf(entry)
    if (state === UNRECORDED) return { ...fresh, task, failure }
    const tag = known.tagOf(state)
    const isChanged = known.checkOf(entry) !== task.hash!.check
    if (isChanged || (state >= FAILED && this.#settings.retries(tag!))) return { ...fresh, task, failure, isChanged }
    return { task, failure: undefined, position: known.positionOf(entry), recordedTag: tag, isChanged }
  }
}

const fresh = { failure: undefined, position: undefined, recordedTag: undefined, isChanged: false } as const
