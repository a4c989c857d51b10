/**
 * Rows that are known, by their identity: 20 bytes a slot, outside of V8's heap, at most 31 bytes a row. Ten million rows
 * are under 310 MB.
 *
 * A slot is five words: two of the identity's hash, its check, the low word of the position, and a word that holds the
 * high byte of the position (so journals may have 1 TiB), the code of the row's state, and a count of equal rows. Tables
 * are split by hash, so that growing one copies a 256th of all.
 */
const WORDS = 5
const PARTS = 256
const FIRST_CAPACITY = 16
/** Full tables of open addressing search long; below this share a probe is three slots at most, on average. */
const MAX_LOAD = 0.85
/** So that a table that has just grown is 65 % full: 31 bytes a row. */
const GROWTH = 1.3
/** Equal rows counted in a slot; further ones are counted beside the table. */
const MAX_COUNT = 0xffff
const WORD = 2 ** 32

/** States of a row. Codes from `FAILED` on are failures, each with a tag of its own. */
export const UNRECORDED = 0
export const DONE = 1
export const FAILED = 2
const MAX_CODE = 255

/** 96 bits of a row's identity. The first two words find it; `check` tells changed content under one key, or a collision. */
export interface RowHash {
  readonly a: number
  readonly b: number
  readonly check: number
}

class Table {
  words = new Uint32Array(FIRST_CAPACITY * WORDS)
  capacity = FIRST_CAPACITY
  size = 0

  /** The slot of a hash, or the empty one where it belongs. With `exact` the check must be equal too. */
  find({ a, b, check }: RowHash, isExact: boolean): number {
    const { capacity, words } = this
    for (let slot = a % capacity; ; slot = slot + 1 === capacity ? 0 : slot + 1) {
      const at = slot * WORDS
      if (isFree(words, at)) return at
      if (words[at] === a && words[at + 1] === b && (!isExact || words[at + 2] === check)) return at
    }
  }

  grow(): void {
    const { capacity, words } = this
    this.capacity = Math.ceil(capacity * GROWTH) + 1
    this.words = new Uint32Array(this.capacity * WORDS)
    for (let at = 0; at < capacity * WORDS; at += WORDS) {
      if (isFree(words, at)) continue
      const slot = this.find({ a: words[at]!, b: words[at + 1]!, check: words[at + 2]! }, true)
      this.words.set(words.subarray(at, at + WORDS), slot)
    }
  }
}

/** Hashes are never all zero: see `hashOf`. */
const isFree = (words: Uint32Array, at: number): boolean => words[at] === 0 && words[at + 1] === 0

/** A row in the index, valid until the next row is added. */
export interface RowEntry {
  readonly table: Table
  readonly at: number
}

export class RowIndex {
  readonly #tables: ReadonlyArray<Table> = Array.from({ length: PARTS }, () => new Table())
  readonly #tags: Array<string> = []
  readonly #manyEqual = new Map<string, number>()
  /** With `isKeyed` the check is of the content, which may change under its key; otherwise it is a part of the hash. */
  readonly #isExact: boolean

  constructor(isKeyed: boolean) {
    this.#isExact = !isKeyed
  }

  get size(): number {
    return this.#tables.reduce((sum, { size }) => sum + size, 0)
  }

  /** Bytes of all tables. */
  get bytes(): number {
    return this.#tables.reduce((sum, { words }) => sum + words.byteLength, 0)
  }

  find(hash: RowHash): RowEntry | undefined {
    const table = this.#tables[hash.b % PARTS]!
    const at = table.find(hash, this.#isExact)
    return isFree(table.words, at) ? undefined : { table, at }
  }

  /** The row's entry, made if there is none. */
  enter(hash: RowHash): RowEntry {
    const table = this.#tables[hash.b % PARTS]!
    let at = table.find(hash, this.#isExact)
    if (!isFree(table.words, at)) return { table, at }
    if (table.size + 1 > table.capacity * MAX_LOAD) {
      table.grow()
      at = table.find(hash, this.#isExact)
    }
    table.size++
    table.words[at] = hash.a
    table.words[at + 1] = hash.b
    table.words[at + 2] = hash.check
    return { table, at }
  }

  /** Records a row's state and the position of its record. */
  record(hash: RowHash, failed: string | undefined, position: number): void {
    const { at, table } = this.enter(hash)
    const code = failed === undefined ? DONE : this.#codeOf(failed)
    table.words[at + 2] = hash.check
    table.words[at + 3] = position % WORD
    table.words[at + 4] = (Math.floor(position / WORD) << 24) | (code << 16) | (table.words[at + 4]! & MAX_COUNT)
  }

  checkOf({ at, table }: RowEntry): number {
    return table.words[at + 2]!
  }

  /** `UNRECORDED`, `DONE`, or a failure's code. */
  stateOf({ at, table }: RowEntry): number {
    return (table.words[at + 4]! >>> 16) & 0xff
  }

  tagOf(state: number): string | undefined {
    return state < FAILED ? undefined : this.#tags[state - FAILED]
  }

  positionOf({ at, table }: RowEntry): number {
    return (table.words[at + 4]! >>> 24) * WORD + table.words[at + 3]!
  }

  /** Counts one more row with this hash, and returns how many there were in this run. */
  count(entry: RowEntry): number {
    const { at, table } = entry
    const seen = table.words[at + 4]! & MAX_COUNT
    if (seen < MAX_COUNT) {
      table.words[at + 4]!++
      return seen
    }
    const name = `${table.words[at]} ${table.words[at + 1]} ${table.words[at + 2]}`
    const more = this.#manyEqual.get(name) ?? 0
    this.#manyEqual.set(name, more + 1)
    return MAX_COUNT + more
  }

  /** Tags beyond the codes of a byte share the last one. */
  #codeOf(tag: string): number {
    let index = this.#tags.indexOf(tag)
    if (index < 0) index = this.#tags.length < MAX_CODE - FAILED ? this.#tags.push(tag) - 1 : MAX_CODE - FAILED
    if (this.#tags[index] === undefined) this.#tags[index] = "other"
    return FAILED + index
  }
}
