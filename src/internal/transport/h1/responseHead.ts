/** The head of an HTTP/1.1 response (RFC 9112), and the framing of the body that follows. */
import type { WireResponse } from "../../http/types.ts"

/** The server's bytes are no HTTP/1.1. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
}

/** A head is larger than it may be. */
export class HeadOverflow extends ProtocolError {
  constructor() {
    super("the response's head has more bytes than transport.maxHeadBytes allows")
  }
}

/** Bytes of a body that are known beforehand, chunks, or all that comes until the connection closes. */
type Framing = number | "chunked" | "close"

export interface ResponseHead {
  readonly status: number
  /** In order, names in lower case. */
  readonly headers: WireResponse["headers"]
  readonly framing: Framing
  /** True if the connection can carry another request after the body. */
  readonly keepsAlive: boolean
  /** Ms for which the server keeps an idle connection, if given. */
  readonly idle: number | undefined
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const name = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const notValue = /[^\t\x20-\x7e\x80-\xff]/
/** A value that goes on in the next line: obsolete, and read as a space (section 5.2). */
const isFolded = /\r\n[ \t]/
const fold = /\r\n[ \t]+/g

const isBlank = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at)
  return code === 0x20 || code === 9
}

/** Trims without an expression, which would look at each run of blanks anew from each of its characters. */
const trim = (value: string): string => {
  let from = 0
  let to = value.length
  while (from < to && isBlank(value, from)) from++
  while (to > from && isBlank(value, to - 1)) to--
  return value.slice(from, to)
}

/** A line of a head or of trailers. */
export const parseField = (line: string): readonly [name: string, value: string] => {
  const colon = line.indexOf(":")
  const field = line.slice(0, colon === -1 ? 0 : colon)
  if (!name.test(field)) throw new ProtocolError("a line of its head is not a header")
  const value = trim(line.slice(colon + 1))
  if (notValue.test(value)) throw new ProtocolError("a header has an invalid value")
  return [field.toLowerCase(), value]
}

const tokens = (value: string): ReadonlyArray<string> =>
  value
    .toLowerCase()
    .split(",")
    .map((token) => token.trim())

/** `coding` is all values of Transfer-Encoding, `length` that of Content-Length. */
const framingOf = (coding: string | undefined, length: string | undefined): Framing => {
  if (coding !== undefined) {
    // Two ways to find the end are how one response is made to look like two (section 6.3).
    if (length !== undefined) throw new ProtocolError("it has both Transfer-Encoding and Content-Length")
    const all = tokens(coding)
    const at = all.indexOf("chunked")
    if (at === -1) return "close"
    if (at !== all.length - 1) throw new ProtocolError("its Transfer-Encoding does not end with chunked")
    return "chunked"
  }
  if (length === undefined) return "close"
  const bytes = /^\d+$/.test(length) ? Number(length) : NaN
  if (!Number.isSafeInteger(bytes)) throw new ProtocolError("its Content-Length is invalid")
  return bytes
}

const hintOf = (value: string): number | undefined => {
  const seconds = /(?:^|[,\s])timeout=(\d+)/i.exec(value)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

/** Parses all before the empty line, one character a byte. Throws a ProtocolError. */
export const parseHead = (text: string, method: string): ResponseHead => {
  const end = text.indexOf("\r\n")
  const [, minor, digits] = statusLine.exec(end === -1 ? text : text.slice(0, end)) ?? []
  if (digits === undefined) throw new ProtocolError("it does not begin with a status line")
  const status = Number(digits)
  const headers: Array<readonly [string, string]> = []
  let connection = ""
  let coding: string | undefined
  let length: string | undefined
  let idle: number | undefined
  if (end !== -1) {
    const rest = text.slice(end + 2)
    for (const line of (isFolded.test(rest) ? rest.replace(fold, " ") : rest).split("\r\n")) {
      const field = parseField(line)
      headers.push(field)
      const value = field[1]
      switch (field[0]) {
        case "connection":
          connection += `,${value}`
          break
        case "content-length":
          if (length !== undefined) throw new ProtocolError("it has two Content-Length headers")
          length = value
          break
        case "keep-alive":
          idle = hintOf(value) ?? idle
          break
        case "transfer-encoding":
          coding = coding === undefined ? value : `${coding},${value}`
      }
    }
  }
  const options = connection === "" ? [] : tokens(connection)
  const framing = framingOf(coding, length)
  const isBodiless = method === "HEAD" || status === 204 || status === 304
  // A server that announces a body where none may be, may send it, and it would be read as the next response.
  const isOdd = isBodiless && method !== "HEAD" && framing !== "close" && framing !== 0
  const keeps = minor === "1" ? !options.includes("close") : options.includes("keep-alive")
  return {
    status,
    headers,
    framing: isBodiless ? 0 : framing,
    keepsAlive: keeps && !isOdd && (isBodiless || framing !== "close"),
    idle
  }
}
