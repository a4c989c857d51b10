/** Checks the columns that a run needs against the rows, before anything is sent. */
import { nearest } from "../../internal/util/closestName.ts"
import { UsageError } from "../exit.ts"
import { readableRows, type RowSource } from "../input/source.ts"

/** Columns that an error lists at most. */
const LISTED_COLUMNS = 50

/** A column by its own name, else by the name of the object that it is in. */
const isThere = (columns: ReadonlySet<string>, name: string): boolean =>
  columns.has(name) || (name.includes(".") && columns.has(name.slice(0, name.indexOf("."))))

const valueAt = (row: unknown, path: string): unknown => {
  let value = row
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** In JSON any row may have a field, so one of the first rows must. */
const isInSome = (source: RowSource, columns: ReadonlySet<string>, name: string): boolean =>
  columns.has(name) ||
  (isThere(columns, name) && readableRows(source.head).some((row) => valueAt(row, name) !== undefined))

/** Fails for the first that no row has. A source without rows has nothing to check, unless it names its columns. */
export const checkColumns = (source: RowSource, needed: ReadonlyArray<string>, what: string): void => {
  if (source.columns.length === 0) return
  const columns = new Set(source.columns)
  const missing = needed.find((name) => !isInSome(source, columns, name))
  if (missing === undefined) return
  const listed = source.columns.slice(0, LISTED_COLUMNS).join(", ")
  const near = nearest(missing, source.columns)
  const guess = near === undefined ? "" : ` did you mean {{${near}}}?`
  throw new UsageError(`${what} {{${missing}}}, a column that ${source.name} does not have;${guess} columns: ${listed}`)
}
