/**
 * Request headers as a plain object with names in lower case: what the pools send. Read once per exchange.
 */

/**
 * Headers of the connection (RFC 9110, section 7.6.1), which many requests share: the pools alone set them. From a
 * caller, such a header would have no effect, or one on the requests of others.
 */
const ofConnection = /^(connection|expect|http2-settings|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*)$/

/** Headers derived from the URL and the body; callers may set them too. */
const derived = new Set(["content-length", "host"])

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Characters that neither HTTP version can carry in a value; CR, LF and NUL would let a value forge headers. */
// oxlint-disable-next-line no-control-regex
const unsendable = /[^\t\x20-\x7e\x80-\xff]/

/**
 * Names in lower case, by name as given. SDKs send the same dozen names each time, and checking one costs more than all
 * the rest. At most 256 are kept: callers may make up more.
 */
const known = new Map<string, string>()

const readName = (raw: string): string => {
  const before = known.get(raw)
  if (before !== undefined) return before
  if (!token.test(raw)) throw new TypeError("a header name has invalid characters")
  const name = raw.toLowerCase()
  if (ofConnection.test(name)) throw new TypeError(`header "${name}" belongs to the connection, which requests share`)
  if (known.size < 256) known.set(raw, name)
  return name
}

/**
 * Without a prototype's names, `__proto__` and `constructor` are names like any other. `Object.create(null)` would do as
 * well, but is a hash table to V8, and each copy of one costs more than the rest of this file.
 */
class Bare {
  static {
    Object.setPrototypeOf(this.prototype, null)
    Reflect.deleteProperty(this.prototype, "constructor")
  }
  readonly [name: string]: string
}

export interface HeaderIntake {
  readonly headers: Record<string, string>
  /** The caller's Content-Length: the only source of a length for a body that can only be iterated. */
  readonly contentLength: string | undefined
  /** The caller's Host, which must be the URL's. */
  readonly host: string | undefined
}

const isIterable = (value: object): value is Iterable<unknown> => Symbol.iterator in value

const intakes = new WeakMap<object, HeaderIntake>()

/**
 * Reads headers that many requests have in common once, of which the object may be given to each. They must not change,
 * and must name what the caller of `readHeaders` adds where it is absent.
 */
export const readOnce = <A extends object>(init: A): A => {
  intakes.set(init, readAll(init))
  return init
}

export const readHeaders = (init: unknown): HeaderIntake =>
  (typeof init === "object" && init !== null ? intakes.get(init) : undefined) ?? readAll(init)

const readAll = (init: unknown): HeaderIntake => {
  const headers: Record<string, string> = new Bare()
  let contentLength: string | undefined
  let host: string | undefined
  const add = (rawName: unknown, rawValue: unknown) => {
    if (rawValue === undefined || rawValue === null) return
    const name = readName(String(rawName))
    if (derived.has(name)) {
      if (name === "host") host = String(rawValue).trim()
      else contentLength = String(rawValue)
      return
    }
    const value = typeof rawValue === "string" ? rawValue.trim() : String(rawValue)
    // Not even a part of the value goes into the message: it may be a key with a stray line break.
    if (unsendable.test(value)) throw new TypeError(`the value of header "${name}" has invalid characters`)
    const before = headers[name]
    headers[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`
  }
  if (typeof init !== "object" || init === null) return { headers, contentLength, host }
  if (isIterable(init)) {
    for (const pair of init) {
      if (!Array.isArray(pair) || pair.length !== 2) throw new TypeError("headers must be pairs of name and value")
      add(pair[0], pair[1])
    }
  } else {
    for (const [name, value] of Object.entries(init)) add(name, value)
  }
  return { headers, contentLength, host }
}
