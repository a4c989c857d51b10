/** Checks of heads, once for all protocols: the bounds on a response's, and the names and values of a request's. */
import type { HeadLimits } from "../util/bounds.ts"
import { WireError } from "../wire/errors.ts"
import type { WireResponse } from "../http/types.ts"

/**
 * Error for a response's head beyond the bounds; `undefined` if it is within. The status is not looked at, so it is
 * unknown whether the request was processed. Over HTTP/1.1 bytes are counted before the head is complete, too.
 */
export const headRefusal = (
  headers: WireResponse["headers"],
  { maxHeadBytes, maxHeadFields }: HeadLimits
): WireError | undefined => {
  if (headers.length > maxHeadFields) return tooLong(`${headers.length} headers`, `maxHeadFields (${maxHeadFields})`)
  let bytes = 0
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i]!
    bytes += name.length + value.length
  }
  return bytes > maxHeadBytes ? tooLong(`${bytes} bytes`, `maxHeadBytes (${maxHeadBytes})`) : undefined
}

const tooLong = (what: string, bound: string): WireError =>
  new WireError("Malformed", "maybe", `the response's head has ${what}, more than transport.${bound} allows`)

const notName = /[^!#$%&'*+\-.^_`|~0-9a-z]/
const notValue = /[^\t\x20-\x7e\x80-\xff]/

/** Throws if a request's headers are none: node:http2 would send a line break as it stands, for a proxy behind the server to trip over. */
export const checkHead = (headers: Readonly<Record<string, string>>): void => {
  for (const name in headers) {
    if (name === "" || notName.test(name)) throw new TypeError("a header has an invalid name")
    if (notValue.test(headers[name] ?? "")) throw new TypeError(`the header ${name} has an invalid value`)
  }
}
