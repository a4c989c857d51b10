/** The one place where errors of a runtime's own `fetch` become ours. */
import { WireError } from "../../wire/errors.ts"
import { codeOf, connectError, h1Error, isUntrusted, textOf } from "../errors.ts"
import { ProtocolError } from "../h1/responseHead.ts"
import { isFinal } from "../proxy.ts"

/** Codes of failures before anything was sent: names, connections, handshakes, descriptors. */
const unsent =
  /^(E(CONNREFUSED|NOTFOUND|HOST(UNREACH|DOWN)|NET(UNREACH|DOWN)|ADDRNOTAVAIL|[MN]FILE|PROTO|AI_\w+|NODATA|SERVFAIL)|UND_ERR_CONNECT_TIMEOUT|ERR_PROXY_TUNNEL|ConnectionRefused|FailedToOpenSocket|UnableToConnect)$/

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
  if (malformed.test(code)) return new ProtocolError(text)
  const clean = new Error(text)
  return code === "" ? clean : Object.assign(clean, { code: synonyms[code] ?? code })
}

/** A tunnel that the proxy refused for good, which Bun reports as text. */
const refusedTunnel = (error: Error): WireError | undefined => {
  const status = /^Proxy refused to open a tunnel: (\d{3})/.exec(error.message)?.[1]
  if (status === undefined || !isFinal(Number(status))) return undefined
  const text = `the proxy (transport.proxy) refused the tunnel with status ${status}: check its user and password, and that it allows CONNECT to this address`
  return new WireError("Untrusted", "no", text)
}

/** `answered`: the response's head had come. */
export const fetchError = (origin: string, error: unknown, answered: boolean): WireError => {
  const inner = innermost(error)
  const code = codeOf(inner)
  const clean = cleaned(inner)
  const refused = answered ? undefined : refusedTunnel(clean)
  if (refused !== undefined) return refused
  if (!answered && (unsent.test(code) || isUntrusted(code))) return connectError(origin, clean)
  return h1Error(clean, answered)
}
