/**
 * How long a response asks to wait, in milliseconds: `retry-after-ms`, else `Retry-After` in seconds or as an HTTP
 * date (RFC 9110, 10.2.3). A date is measured from the response's own `Date`, since our clock may differ. What can't
 * be read, or is negative, is no wish at all.
 */

/**
 * 31 years, in milliseconds: who asks for more writes another format than he means to (a Unix time, say), or nonsense.
 */
const senseless = 1e12

/** `ms` if somebody may have meant it. */
export const sensible = (ms: number | undefined): number | undefined =>
  ms !== undefined && ms >= 0 && ms < senseless ? ms : undefined

/** A decimal number without sign or exponent. */
export const readNumber = (value: string | undefined): number | undefined =>
  value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined

/** Milliseconds since 1970. Parsers take nearly any text for a date: one without a time of day is none. */
export const readDate = (value: string | undefined): number | undefined => {
  if (value === undefined || !/\d\d:\d\d/.test(value)) return undefined
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : at
}

export interface Fields {
  readonly "retry-after-ms": string | undefined
  readonly "retry-after": string | undefined
  readonly date: string | undefined
}

/** `now`, in milliseconds since 1970, is for answers without a `Date`. */
export const read = (fields: Fields, now: number): number | undefined => {
  const milliseconds = sensible(readNumber(fields["retry-after-ms"]))
  if (milliseconds !== undefined) return milliseconds
  const seconds = readNumber(fields["retry-after"])
  if (seconds !== undefined) return sensible(seconds * 1000)
  const at = readDate(fields["retry-after"])
  return at === undefined ? undefined : sensible(Math.max(0, at - (readDate(fields.date) ?? now)))
}

export const parse = (headers: Pick<Headers, "get">): number | undefined => {
  const get = (name: string) => headers.get(name) ?? undefined
  return read(
    { "retry-after-ms": get("retry-after-ms"), "retry-after": get("retry-after"), date: get("date") },
    Date.now()
  )
}
