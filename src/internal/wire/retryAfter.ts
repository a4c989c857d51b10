/**
 * Reads the wait that a response asks for, in milliseconds: `retry-after-ms`, else `Retry-After` in seconds or as an
 * HTTP date (RFC 9110, 10.2.3). A date is measured from the response's own `Date`, since our clock may differ. An
 * unreadable or negative value is ignored.
 */
import { Date } from "../util/timers.ts"

/**
 * 62 days, in milliseconds: twice a month, the longest window that providers count by. A longer wait is in another
 * format than expected (a Unix time, for instance), or nonsense, and must not shut requests out.
 */
const senseless = 62 * 86_400_000

/** `ms` if it is plausible. */
export const sensible = (ms: number | undefined): number | undefined =>
  ms !== undefined && ms >= 0 && ms < senseless ? ms : undefined

/** A decimal number without sign or exponent. */
export const readNumber = (value: string | undefined): number | undefined =>
  value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined

/** HTTP's three forms (RFC 9110, 5.6.7), of which the last names no zone, and RFC 3339's. */
const httpDate =
  /^(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4}|[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d) \d\d:\d\d:\d\d GMT$/
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

/** Milliseconds since 1970. `Date.parse` takes nearly any text for a date, several values in one line included. */
export const readDate = (value: string | undefined): number | undefined => {
  const text = value?.trim()
  if (text === undefined) return undefined
  const isLocal = asctime.test(text)
  if (!isLocal && !httpDate.test(text) && !rfc3339.test(text)) return undefined
  const at = Date.parse(isLocal ? `${text} GMT` : text)
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
