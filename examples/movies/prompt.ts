/** Prompts with holes: `Sum up {{title}} by {{author.name}}`. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { NumberedRow, Row } from "./rows.ts"

export class PromptError extends Data.TaggedError("PromptError")<{ readonly message: string }> {}

/** Fields that an error lists at most. */
const LISTED = 50

const HOLE = /\{\{\s*([^{}]+?)\s*\}\}/g

/** The prompt of one row. A field that is `null` is blank, one that is absent is an error. */
export const fill = (template: string, row: Row): Either.Either<string, PromptError> => {
  const absent = fieldsOf(template).find((field) => valueAt(row, field) === undefined)
  return absent === undefined
    ? Either.right(template.replace(HOLE, (_, field: string) => print(valueAt(row, field))))
    : Either.left(new PromptError({ message: `the row has no field ${absent}` }))
}

/** Checks that some row has each field of the template, and returns the number of rows. */
export const check = <E, R>(
  template: string,
  rows: Stream.Stream<NumberedRow, E, R>
): Effect.Effect<number, E | PromptError, R> =>
  Effect.gen(function* () {
    if (template.replace(HOLE, "").includes("{{")) {
      return yield* new PromptError({ message: `the prompt has a "{{" without a field name and "}}" after it` })
    }
    const missing = new Set(fieldsOf(template))
    const known = new Set<string>()
    let count = 0
    yield* Stream.runForEach(rows, ({ row }) =>
      Effect.sync(() => {
        count++
        if (Either.isLeft(row)) return
        for (const field of missing) if (valueAt(row.right, field) !== undefined) missing.delete(field)
        if (missing.size > 0 && known.size < LISTED) for (const path of pathsIn(row.right)) known.add(path)
      })
    )
    const [unknown] = missing
    if (unknown === undefined || known.size === 0) return count
    const listed = [...known].slice(0, LISTED).join(", ")
    return yield* new PromptError({
      message: `the prompt asks for {{${unknown}}}, which no row has; fields: ${listed}`
    })
  })

const fieldsOf = (template: string): ReadonlyArray<string> => [...template.matchAll(HOLE)].map((hole) => hole[1] ?? "")

/** A field by its own name, else by its path. */
const valueAt = (row: Row, field: string): unknown => {
  if (Object.hasOwn(row, field)) return row[field]
  let value: unknown = row
  for (const name of field.split(".")) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

const pathsIn = (row: Row): ReadonlyArray<string> =>
  Object.entries(row).flatMap(([name, value]) =>
    isObject(value) && !Array.isArray(value) ? pathsIn(value).map((path) => `${name}.${path}`) : [name]
  )

const isObject = (value: unknown): value is Row => typeof value === "object" && value !== null

const print = (value: unknown): string =>
  value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)
