/** Templates with `{{column}}`. */
import * as Either from "effect/Either"

/** A row as a template reads it. */
export type TemplateRow = Readonly<Record<string, unknown>>

export interface Template {
  /** Columns in order of their first use. */
  readonly columns: ReadonlyArray<string>
  /** `Left` is the first column that the row lacks. */
  readonly render: (row: TemplateRow) => Either.Either<string, string>
}

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g

/** True for a column that is there, whatever it holds. */
const has = (row: TemplateRow, column: string): boolean => Object.hasOwn(row, column)

/** The value of a column, or of a path into one, `{{user.name}}`, if no column has that name. */
export const valueOf = (row: TemplateRow, column: string): { readonly value: unknown } | undefined => {
  if (has(row, column)) return { value: row[column] }
  let value: unknown = row
  for (const part of column.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as TemplateRow)[part]
  }
  return { value }
}

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value === null || value === undefined) return ""
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** `undefined` for a template with empty braces. */
export const compile = (template: string): Template | undefined => {
  const texts: Array<string> = []
  const names: Array<string> = []
  let from = 0
  for (const match of template.matchAll(PLACEHOLDER)) {
    if (match[1] === "") return undefined
    texts.push(template.slice(from, match.index))
    names.push(match[1]!)
    from = match.index + match[0].length
  }
  const last = template.slice(from)
  return {
    columns: [...new Set(names)],
    render: (row) => {
      let text = ""
      for (let i = 0; i < names.length; i++) {
        const found = valueOf(row, names[i]!)
        if (found === undefined) return Either.left(names[i]!)
        text += texts[i]! + textOf(found.value)
      }
      return Either.right(text + last)
    }
  }
}
