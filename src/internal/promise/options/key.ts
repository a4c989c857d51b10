/**
 * A cheap key of raw options: the options and the variables as text, each with its length, so that no value can pass for
 * another. Equal keys mean the same; the same in another order is another key, which costs a second entry and no more.
 * It holds the key in plain text: it is for a table in memory, and for nothing else.
 */
import * as Redacted from "effect/Redacted"
import { isCredential, settled } from "../../credential/model.ts"
import type { SdkOptionsSpec } from "./read.ts"
import type { Row, Table } from "./table.ts"

/** `undefined` for options without a text form: then the options are to be read. */
export type RawKey = (options?: unknown) => string | undefined

interface Variable {
  readonly name: string
  /** Read only where this option is absent. */
  readonly option: string | undefined
}

export const rawKeyOf = <P extends string, X extends string>(sdkSpec: SdkOptionsSpec<P, X>): RawKey => {
  const rows = new Map<string, Row>(Object.entries(sdkSpec.table as Table))
  const variables: Array<Variable> = []
  for (const [option, row] of rows) {
    if (row.env !== undefined) variables.push({ name: row.env, option: row.merged === true ? undefined : option })
  }
  return (options) => {
    if (options !== undefined && !isPlain(options)) return undefined
    let key = ""
    if (options !== undefined) {
      for (const name of Object.keys(options)) {
        const value = options[name]
        if (value === undefined) continue
        const row = rows.get(name)
        if (row === undefined || row.fate === "unpooled" || row.fate === "refused") return undefined
        // Proxies of the environment are known only once it is read.
        if (name === "transport" && (value as { readonly proxy?: unknown } | null)?.proxy === "env") return undefined
        const text =
          typeof value === "string"
            ? `"${value.length}:${value}`
            : row.identity === true
              ? byIdentity(value)
              : textOf(value, 0)
        if (text === undefined) return undefined
        key += `${name}${text};`
      }
    }
    for (const { name, option } of variables) {
      if (option !== undefined && options?.[option] !== undefined) continue
      const value = process.env[name]
      if (value !== undefined) key += `$${name}${value.length}:${value};`
    }
    return key
  }
}

const isPlain = (u: unknown): u is Readonly<Record<string, unknown>> => {
  if (typeof u !== "object" || u === null) return false
  const prototype: unknown = Object.getPrototypeOf(u)
  return prototype === Object.prototype || prototype === null
}

/** Options are at most quota.maxConcurrency.min deep, and no reader would go deeper into something that has a ring. */
const deepest = 4

const textOf = (value: unknown, depth: number): string | undefined => {
  switch (typeof value) {
    case "string":
      return `"${value.length}:${value}`
    case "number":
    case "boolean":
    case "undefined":
      return String(value)
    case "object":
      if (value === null) return "null"
      if (Redacted.isRedacted(value)) return secretText(value)
      if (depth >= deepest) return undefined
      if (Array.isArray(value)) return listText(value, depth)
      return isPlain(value) ? recordText(value, depth) : undefined
    default:
      return undefined
  }
}

const listText = (list: ReadonlyArray<unknown>, depth: number): string | undefined => {
  let all = "["
  for (const value of list) {
    const text = textOf(value, depth + 1)
    if (text === undefined) return undefined
    all += `${text},`
  }
  return `${all}]`
}

const recordText = (record: Readonly<Record<string, unknown>>, depth: number): string | undefined => {
  let all = "{"
  for (const name of Object.keys(record)) {
    const text = textOf(record[name], depth + 1)
    if (text === undefined) return undefined
    all += `${name.length}:${name}=${text},`
  }
  return `${all}}`
}

const secretText = (secret: Redacted.Redacted<unknown>): string | undefined => {
  try {
    const value = Redacted.value(secret)
    return typeof value === "string" ? `*${value.length}:${value}` : undefined
  } catch {
    // It was wiped.
    return undefined
  }
}

const ids = new WeakMap<object, number>()
let last = 0

const byIdentity = (value: unknown): string | undefined => {
  if (value === null) return "null"
  if (Redacted.isRedacted(value)) return secretText(value)
  // Only reading it gives the current version.
  if (isCredential(value) && settled(value) !== value) return undefined
  if (typeof value !== "function" && typeof value !== "object") return undefined
  const known = ids.get(value)
  if (known !== undefined) return `#${known}`
  ids.set(value, ++last)
  return `#${last}`
}
