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
const fold = /\r\n[ \t]+/g

const isBlank = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at)
  return code === 0x20 || code === 9
}

/** Trims without an expression, which would look at each run of blanks anew from each of its characters. */
const trimmed = (text: string, from: number, to: number): string => {
  while (from < to && isBlank(text, from)) from++
  while (to > from && isBlank(text, to - 1)) to--
  return text.slice(from, to)
}

/** Names in lower case, by name as sent: servers send the same dozen each time. Bounded, since they may make names up. */
const names = new Map<string, string>()
const MAX_NAMES = 256
const MAX_NAME_LENGTH = 64

/** A part of a text keeps all of the text in memory. */
const copied = (part: string): string => Buffer.from(part, "latin1").toString("latin1")

const readName = (field: string): string => {
  const known = names.get(field)
  if (known !== undefined) return known
  if (!name.test(field)) throw new ProtocolError("a line of its head is not a header")
  const read = field.toLowerCase()
  if (field.length <= MAX_NAME_LENGTH && names.size < MAX_NAMES) names.set(copied(field), copied(read))
  return read
}

/** A line of a head or of trailers: that part of the text. */
export const parseField = (text: string, from = 0, to = text.length): readonly [name: string, value: string] => {
  const colon = text.indexOf(":", from)
  const field = readName(colon < to ? text.slice(from, Math.max(from, colon)) : "")
  const value = trimmed(text, colon + 1, to)
  if (notValue.test(value)) throw new ProtocolError("a header has an invalid value")
  return [field, value]
}

const tokens = (value: string): ReadonlyArray<string> =>
  value
    .toLowerCase()
    .split(",")
    .map((token) => token.trim())

const hasToken = (value: string, token: string): boolean =>
  value.toLowerCase().includes(token) && tokens(value).includes(token)

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
  const first = statusLine.exec(end === -1 ? text : text.slice(0, end))
  if (first === null) throw new ProtocolError("it does not begin with a status line")
  const status = Number(first[2])
  const headers: Array<readonly [string, string]> = []
  let connection = ""
  let coding: string | undefined
  let length: string | undefined
  let idle: number | undefined
  for (let last = end; last !== -1;) {
    const from = last + 2
    if (from > end + 2 && isBlank(text, from)) return parseHead(text.replace(fold, " "), method)
    last = text.indexOf("\r\n", from)
    const field = parseField(text, from, last === -1 ? text.length : last)
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
  const framing = framingOf(coding, length)
  const isBodiless = method === "HEAD" || status === 204 || status === 304
  // A server that announces a body where none may be, may send it, and it would be read as the next response.
  const isOdd = isBodiless && method !== "HEAD" && framing !== "close" && framing !== 0
  const keeps = first[1] === "1" ? !hasToken(connection, "close") : hasToken(connection, "keep-alive")
  return {
    status,
    headers,
    framing: isBodiless ? 0 : framing,
    keepsAlive: keeps && !isOdd && (isBodiless || framing !== "close"),
    idle
  }
}
