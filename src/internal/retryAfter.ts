/**
 * How long a response asks to wait, in milliseconds: `retry-after-ms`, else `Retry-After` in seconds or as an HTTP
 * date (RFC 9110, 10.2.3). A date is measured from the response's own `Date`, since our clock may differ. What can't
 * be read, or is negative, is no wish at all.
 */
const readNumber = (value: string | null): number | undefined => {
  if (value === null || !/^\s*\d+(\.\d+)?\s*$/.test(value)) return undefined
  return Number(value)
}

const readDate = (value: string | null): number | undefined => {
  if (value === null) return undefined
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : at
}

export const parse = (headers: Pick<Headers, "get">): number | undefined => {
  const milliseconds = readNumber(headers.get("retry-after-ms"))
  if (milliseconds !== undefined) return milliseconds
  const value = headers.get("retry-after")
  const seconds = readNumber(value)
  if (seconds !== undefined) return seconds * 1000
  // A bare number that is no wait (negative, say) parses as a year: only texts with letters are dates.
  const at = value !== null && /[a-z]/i.test(value) ? readDate(value) : undefined
  return at === undefined ? undefined : Math.max(0, at - (readDate(headers.get("date")) ?? Date.now()))
}
