import { type At, describe, invalid, latin1, within } from "../options/validate.ts"
import { dangerous, object } from "../options/knownKeys.ts"

/** They belong to the connection (RFC 9110, section 7.6.1), or the transport writes them. */
const forbidden =
  /^(host|content-length|connection|transfer-encoding|http2-settings|keep-alive|upgrade|te|trailer|expect|proxy-.*)$/

const oddInName = /[^!#$%&'*+\-.^_`|~0-9a-z]/
// oxlint-disable-next-line no-control-regex
const oddInValue = /[^\t\x20-\x7e\x80-\xff]/
const expected = 'a record of strings like { "x-team": "films" }, or pairs of name and value'

/**
 * Reads @effect/platform's `Headers.Input` (so also WHATWG `Headers` and maps) without loading @effect/platform.
 * These go over what `into` holds already.
 */
export const headers = (at: At, input: unknown, into: Map<string, string>): void => {
  const seen = new Set<string>()
  for (const [key, value] of entries(at, input)) {
    if (value === undefined) continue
    const name = headerName(at, key)
    // Which of the two is meant would depend on their order.
    if (seen.has(name)) throw invalid(within(at, name), "given twice", "each header once, whatever its case")
    seen.add(name)
    into.set(name, headerValue(within(at, name), value))
  }
}

/** Lines of `name: value`, as the SDKs read their CUSTOM_HEADERS variables: lines without a colon are skipped, the last wins. */
export const headerLines = (at: At, text: string, into: Map<string, string>): void => {
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":")
    if (colon < 0) continue
    const name = headerName(at, line.slice(0, colon).trim())
    into.set(name, headerValue(within(at, name), line.slice(colon + 1)))
  }
}

/** Query parameters; what is `undefined` is left out. */
export const query = (at: At, input: unknown): ReadonlyMap<string, string> => {
  const into = new Map<string, string>()
  for (const [name, value] of Object.entries(object(at, input, "a record of strings"))) {
    if (value === undefined) continue
    if (name === "" || dangerous.has(name)) throw invalid(at, `a parameter named "${name}"`, "another name")
    if (unpaired.test(name)) throw invalid(at, "a name with a lone surrogate", "well-formed text")
    if (typeof value !== "string") throw invalid(queryAt(at, name), describe(value), "a string")
    if (unpaired.test(value)) throw invalid(queryAt(at, name), "text with a lone surrogate", "well-formed text")
    into.set(name, value)
  }
  return into
}

/** encodeURIComponent throws on these. */
const unpaired = /\p{Surrogate}/u

const queryAt = (at: At, name: string): At => (/^[\w.$-]{1,40}$/.test(name) ? within(at, name) : at)

const entries = (at: At, input: unknown): Iterable<readonly [string, unknown]> => {
  if (!Array.isArray(input) && !(Symbol.iterator in object(at, input, expected))) {
    return Object.entries(object(at, input, expected))
  }
  return pairs(at, input as Iterable<unknown>)
}

function* pairs(at: At, input: Iterable<unknown>): Iterable<readonly [string, unknown]> {
  for (const pair of input) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string" || typeof pair[1] !== "string") {
      throw invalid(at, "a list with an entry that is not a pair of strings", expected)
    }
    yield [pair[0], pair[1]]
  }
}

const headerName = (at: At, key: string): string => {
  const name = key.toLowerCase()
  if (name === "") throw invalid(at, "a header with an empty name", "a name like x-team")
  const odd = oddInName.exec(name)
  if (odd !== null) {
    throw invalid(at, `a header whose name has an invalid character at position ${odd.index + 1}`, "a name like x-team")
  }
  if (dangerous.has(name)) throw invalid(within(at, name), "a name that reaches an object's prototype", "another name")
  if (forbidden.test(name)) {
    throw invalid(
      within(at, name),
      "a header of the connection",
      "no such header: the transport sets it where it applies"
    )
  }
  return name
}

const headerValue = (at: At, value: unknown): string => {
  const text = Array.isArray(value) ? value.map((part) => headerText(at, part)).join(", ") : headerText(at, value)
  return text
}

const headerText = (at: At, value: unknown): string => {
  if (typeof value !== "string") throw invalid(at, describe(value), "a string")
  const trimmed = value.trim()
  const odd = oddInValue.exec(trimmed)
  if (odd === null) return trimmed
  throw invalid(at, `text with an invalid character at position ${odd.index + 1}`, latin1)
}
