/** Rows of a file: JSON lines, which are streamed, or one JSON array, which is read whole. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

export interface Row {
  readonly [field: string]: unknown
}

/** A row and where it stands: its line in a file of lines, its place in an array, from 1. */
export interface NumberedRow {
  readonly number: number
  readonly row: Either.Either<Row, RowError>
}

/** One row that can't be used. The others can. */
export class RowError extends Data.TaggedError("RowError")<{ readonly message: string }> {}

/** A file that can't be used. */
export class RowsError extends Data.TaggedError("RowsError")<{ readonly message: string }> {}

export const read = (file: string): Stream.Stream<NumberedRow, RowsError, FileSystem.FileSystem> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const info = yield* fs.stat(file)
      if (info.type !== "File") return yield* new RowsError({ message: `${file} is not a file` })
      const text = Stream.decodeText(fs.stream(file))
      const start = Option.getOrElse(yield* Stream.runHead(text), () => "")
      if (start.trimStart().startsWith("[")) return elements(file, yield* fs.readFileString(file))
      return Stream.mapError(lines(text), unreadable(file))
    }).pipe(Effect.mapError(unreadable(file)))
  )

const unreadable = (file: string) => (error: PlatformError | RowsError) =>
  error._tag === "RowsError" ? error : new RowsError({ message: `can't read ${file}: ${error.message}` })

const lines = <E>(text: Stream.Stream<string, E>): Stream.Stream<NumberedRow, E> =>
  text.pipe(
    Stream.splitLines,
    Stream.zipWithIndex,
    Stream.filter(([line]) => line.trim() !== ""),
    Stream.map(([line, index]) => ({ number: index + 1, row: parse(line, `line ${index + 1}`) }))
  )

const elements = (file: string, text: string): Stream.Stream<NumberedRow, RowsError> => {
  const array = json(text)
  if (Either.isLeft(array)) {
    return Stream.fail(new RowsError({ message: `${file} starts with "[" but is not a JSON array: ${array.left}` }))
  }
  return Stream.fromIterable(array.right as ReadonlyArray<unknown>).pipe(
    Stream.zipWithIndex,
    Stream.map(([element, index]) => ({ number: index + 1, row: asRow(element, `element ${index + 1}`) }))
  )
}

const parse = (line: string, where: string): Either.Either<Row, RowError> =>
  json(line).pipe(
    Either.mapLeft((problem) => new RowError({ message: `${where} is invalid JSON: ${problem}` })),
    Either.flatMap((value) => asRow(value, where))
  )

const json = (text: string): Either.Either<unknown, string> =>
  Either.try({ try: (): unknown => JSON.parse(text), catch: (error) => (error as SyntaxError).message })

const asRow = (value: unknown, where: string): Either.Either<Row, RowError> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Either.right(value as Row)
    : Either.left(new RowError({ message: `${where} is not an object` }))
