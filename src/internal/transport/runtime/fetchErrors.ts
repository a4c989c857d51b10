/** The one place where errors of a runtime's own `fetch` become ours. */
import type { WireError } from "../../wire.ts"
import { codeOf, connectError, h1Error, isUntrusted, textOf } from "../errors.ts"

/** Codes of failures before anything was sent: names, connections, handshakes, descriptors. */
const unsent =
  /^(E(CONNREFUSED|NOTFOUND|HOST(UNREACH|DOWN)|NET(UNREACH|DOWN)|ADDRNOTAVAIL|[MN]FILE|PROTO|AI_\w+|NODATA|SERVFAIL)|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused|FailedToOpenSocket|UnableToConnect)$/

/** Codes of responses that could not be parsed or decoded. */
const malformed = /^(Malformed_\w+|InvalidHTTP\w*|\w*(Zlib|Brotli|Zstd)\w*|HPE_\w+)$/

/** Codes of older Bun, and what Node calls them. */
const synonyms: Readonly<Record<string, string>> = {
  ConnectionRefused: "ECONNREFUSED",
  FailedToOpenSocket: "ECONNREFUSED",
  UnableToConnect: "ECONNREFUSED",
  ConnectionClosed: "ECONNRESET"
}

/** fetch hides the socket's error in the cause of a TypeError; Bun's own has the code itself. */
const innermost = (error: unknown): unknown => {
  let inner = error
  for (let depth = 0; depth < 3 && codeOf(inner) === "" && inner instanceof Error; depth++) {
    if (inner.cause === undefined) break
    inner = inner.cause
  }
  return codeOf(inner) === "" ? error : inner
}

/** The error without the request's URL, which Bun puts into message and `path`: its query may hold a secret. */
const cleaned = (error: unknown): Error => {
  const code = codeOf(error)
  const text = textOf(error)
    .replace(/ ?For more information, pass `verbose: true`.*$/s, "")
    .replace(/ fetching "[^"]*"/, "")
    .replaceAll(/\bhttps?:\/\/[^\s"']+/g, "the URL")
  const clean = new Error(text)
  return code === "" ? clean : Object.assign(clean, { code: synonyms[code] ?? code })
}

/** `answered`: the response's head had come. */
export const fetchError = (origin: string, error: unknown, answered: boolean): WireError => {
  const inner = innermost(error)
  const code = codeOf(inner)
  const clean = cleaned(inner)
  if (!answered && (unsent.test(code) || isUntrusted(code))) return connectError(origin, clean)
  if (malformed.test(code)) clean.name = "HTTPParserError"
  return h1Error(clean, answered)
}
