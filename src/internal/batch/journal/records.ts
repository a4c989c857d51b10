/** The current records of a journal, without its lock: for those who look on. */
import { type FileHandle, open } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BatchError } from "../errors.ts"
import { hashOfId } from "../rows/rowIdentity.ts"
import { RowIndex } from "../rows/rowIndex.ts"
import { fileError } from "./fileErrors.ts"
import { readHeader, scanFile } from "./fileJournal.ts"
import { LineReader } from "./lineReader.ts"
import type { JournalReading } from "./model.ts"
import { type Recorded, resultOf } from "./record.ts"
import { fromPull } from "../../util/pullStream.ts"

const AT_ONCE = 256

interface Scanned {
  readonly file: FileHandle
  readonly header: Awaited<ReturnType<typeof readHeader>>
  readonly damaged: number
  readonly cost: number
  /** Positions of the records that no later one replaces. */
  readonly positions: Float64Array
}

/** Twice: a record is current if no later one has its row. */
const scanned = async (path: string): Promise<Scanned> => {
  const file = await open(path, "r")
  try {
    const header = await readHeader(path, file)
    const index = new RowIndex(true)
    let records = 0
    let all = 0
    const { damaged } = await scanFile(file, ({ cost, failed, id }, position) => {
      index.record(hashOfId(id), failed, position)
      records++
      all += cost ?? 0
    })
    const positions = new Float64Array(records)
    let current = 0
    await scanFile(file, ({ id }, position) => {
      const entry = index.find(hashOfId(id))
      const isCurrent = entry !== undefined && index.positionOf(entry) === position
      // A run may be adding some.
      if (isCurrent && current < records) positions[current++] = position
    })
    return { file, header, damaged, cost: all, positions: positions.subarray(0, current) }
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
}

const resultsFrom = async (reader: LineReader, positions: Float64Array): Promise<ReadonlyArray<Recorded>> => {
  const results: Array<Recorded> = []
  for (const position of positions) {
    const line = await reader.lineAt(position)
    const result = line === undefined ? undefined : resultOf(line)
    if (result !== undefined) results.push(result)
  }
  return results
}

type Attempt = <A>(f: () => Promise<A>) => Effect.Effect<A, BatchError>

const recordsOf = (attempt: Attempt, { file, positions }: Scanned): Stream.Stream<Recorded, BatchError> =>
  Stream.suspend(() => {
    const reader = new LineReader(file)
    let at = 0
    return fromPull(
      Effect.suspend(() => {
        if (at >= positions.length) return Effect.fail(Option.none())
        const some = positions.subarray(at, (at += AT_ONCE))
        return Effect.mapError(
          attempt(() => resultsFrom(reader, some)),
          Option.some
        )
      })
    )
  })

export const read = (path: string): Effect.Effect<JournalReading, BatchError, Scope.Scope> => {
  const attempt: Attempt = (f) => Effect.tryPromise({ try: f, catch: (error) => fileError(path, "read", error) })
  const opening = Effect.acquireRelease(
    attempt(() => scanned(path)),
    ({ file }) => Effect.promise(() => file.close().catch(() => undefined))
  )
  return Effect.map(opening, (all) => ({
    identity: all.header.identity,
    createdAt: all.header.at,
    rows: all.positions.length,
    damaged: all.damaged,
    cost: all.cost,
    records: recordsOf(attempt, all)
  }))
}

export const records = (path: string): Stream.Stream<Recorded, BatchError> =>
  Stream.unwrapScoped(Effect.map(read(path), ({ records }) => records))
