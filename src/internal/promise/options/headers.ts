/**
 * `defaultHeaders` as the SDKs take them: a record, pairs, `Headers`, or what an SDK has made of these. A `null` takes a
 * header away, which a config has no word for: it goes to the SDK.
 */

interface Split {
  /** In the shapes that a config reads, without the `null`s. */
  readonly set: unknown
  /** Names in lower case, in order. */
  readonly nulls: ReadonlyArray<string>
}

export const splitHeaders = (input: unknown): Split => {
  if (typeof input !== "object" || input === null) return { set: input, nulls: [] }
  const pairs = pairsOf(input)
  if (pairs === undefined) return { set: input, nulls: [] }
  const nulls = pairs.filter(([, value]) => value === null).map(([name]) => String(name).toLowerCase())
  if (nulls.length === 0 && !isBuilt(input)) return { set: input, nulls }
  const rest = pairs.filter(([, value]) => value !== null)
  return { set: Symbol.iterator in input || isBuilt(input) ? rest : Object.fromEntries(rest), nulls: nulls.sort() }
}

/** True for the result of openai's and groq's own `buildHeaders`, which `withOptions` passes on. */
const isBuilt = (input: object): input is { readonly values: Headers; readonly nulls: ReadonlySet<string> } =>
  "values" in input && input.values instanceof Headers && "nulls" in input && input.nulls instanceof Set

/** `undefined` for a value that is not of pairs: the config reports it. */
const pairsOf = (input: object): ReadonlyArray<readonly [unknown, unknown]> | undefined => {
  if (isBuilt(input)) return [...input.values, ...[...input.nulls].map((name) => [name, null] as const)]
  if (!(Symbol.iterator in input)) return Object.entries(input)
  const rows = [...(input as Iterable<unknown>)]
  return rows.every((row): row is [unknown, unknown] => Array.isArray(row) && row.length === 2) ? rows : undefined
}
