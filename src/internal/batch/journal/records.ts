/** The current records of a journal, without its lock: for those who look on. */
import { type FileHandle, open } from "node:fs/promises"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { BatchError } from "../errors.ts"
import { hashOfId } from "../rows/rowIdentity.ts"
import { RowIndex } from "../rows/rowIndex.ts"
import { fileError } from "./fileErrors.ts"
import { scanFile } from "./fileJournal.ts"
import { LineReader } from "./lineReader.ts"
import { type Recorded, resultOf } from "./record.ts"

const AT_ONCE = 256

interface Scanned {
  readonly file: FileHandle
  /** Positions of the records that no later one replaces. */
  readonly positions: Float64Array
}

const scanned = async (path: string): Promise<Scanned> => {
  const file = await open(path, "r")
  try {
    const index = new RowIndex(false)
    let records = 0
    await scanFile(file, ({ failed, id }, position) => {
      index.record(hashOfId(id), failed, position)
      records++
    })
    const positions = new Float64Array(records)
    let current = 0
    await scanFile(file, ({ id }, position) => {
      const entry = index.find(hashOfId(id))
      if (current < records && entry !== undefined && index.positionOf(entry) === position)
        positions[current++] = position
    })
    return { file, positions: positions.subarray(0, current) }
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
}

const resultsFrom = async (reader: LineReader, positions: Float64Array): Promise<Chunk.Chunk<Recorded>> => {
  const results: Array<Recorded> = []
  for (const position of positions) {
    const line = await reader.lineAt(position)
    const result = line === undefined ? undefined : resultOf(line)
    if (result !== undefined) results.push(result)
  }
  return Chunk.unsafeFromArray(results)
}

export const records = (path: string): Stream.Stream<Recorded, BatchError> => {
  const attempt = <A>(f: () => Promise<A>): Effect.Effect<A, BatchError> =>
    Effect.tryPromise({ try: f, catch: (error) => fileError(path, "read", error) })
  const opening = Effect.acquireRelease(
    attempt(() => scanned(path)),
    ({ file }) => Effect.promise(() => file.close().catch(() => undefined))
  )
  return Stream.unwrapScoped(
    Effect.map(opening, ({ file, positions }) => {
      const reader = new LineReader(file)
      let at = 0
      return Stream.repeatEffectChunkOption(
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
  )
}
