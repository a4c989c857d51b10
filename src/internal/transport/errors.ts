/** The one place where the errors of sockets and protocols become ours. */
import { type Oddity, WireError } from "../wire/errors.ts"
import { HeadOverflow, ProtocolError } from "./h1/responseHead.ts"
import { lacksDescriptors } from "./lacking.ts"
import { type Goaway, remedyOf, signed } from "./h2/goaway.ts"

/** Anything can be thrown, and to look at some of it throws. */
const safely = <A>(look: () => A, otherwise: A): A => {
  try {
    return look()
  } catch {
    return otherwise
  }
}

const isOurs = (error: unknown): error is WireError => safely(() => error instanceof WireError, false)

export const codeOf = (error: unknown): string =>
  safely(() => {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    return typeof code === "string" ? code : ""
  }, "")

export const textOf = (error: unknown): string =>
  safely(() => {
    if (!(error instanceof Error)) return String(error)
    // The AggregateError of net, for a name whose addresses all failed, has an empty message.
    return error.message === "" ? codeOf(error) : String(error.message)
  }, "its message can't be read")

/** OpenSSL's verdicts on a certificate (X509_V_ERR_*), as Node names them, and Node's own on its names. */
const verdicts =
  /^(ERR_TLS_CERT_ALTNAME_INVALID|CERT_\w+|(DEPTH_ZERO_)?SELF_SIGNED_CERT\w*|UNABLE_TO_\w+|CRL_\w+|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED|ERROR_IN_CERT_\w+)$/

/** The alerts of servers that want a certificate, or another one (RFC 8446, 6.2), as OpenSSL words them. */
const alerts = /^ERR_SSL_.*_ALERT_(?:CERTIFICATE_\w+|(?:BAD|UNSUPPORTED)_CERTIFICATE|UNKNOWN_CA)$/

/** True for faults of certificates, the server's or ours, which the next attempt would meet too. */
export const isUntrusted = (code: string): boolean =>
  verdicts.test(code) || code.startsWith("ERR_OSSL_") || alerts.test(code)

/** The codes of libuv, c-ares and getaddrinfo that sockets and names fail with. */
const system =
  /^(E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|TIMEOUT|NOTFOUND|HOST(UNREACH|DOWN)|NET(UNREACH|DOWN|RESET)|ADDR(NOTAVAIL|INUSE)|[MN]FILE|PROTO|ACCES|PERM|NOBUFS|NOMEM|NOTCONN|ISCONN|INVAL|OF|AI_\w+|NODATA|SERVFAIL|FORMERR|REFUSED|BAD(NAME|RESP|QUERY)|NOTIMP|CANCELLED|CANCELED|DESTRUCTION))$/

/** Error codes of Node, matched by their prefix since they are many. */
const families = /^ERR_/

/** Highest error code of RST_STREAM and GOAWAY: HTTP_1_1_REQUIRED (RFC 9113, 7). */
const lastHttp2Code = 13

/** Servers of TLS 1.3 look at a certificate when the client has begun to send (RFC 8446, 4.4.2). */
const connectionOf = (error: unknown): "Untrusted" | "Connection" =>
  isUntrusted(codeOf(error)) ? "Untrusted" : "Connection"

const isKnown = (code: string): boolean => system.test(code) || families.test(code) || verdicts.test(code)

/**
 * The unknown part of a failure; `undefined` if all is known. An Error without a code is ours, or described by its
 * message.
 */
const oddityOf = (error: unknown): Oddity | undefined => {
  if (error === undefined || isOurs(error)) return undefined
  if (!safely(() => error instanceof Error, false)) return { kind: "error", value: "non-Error" }
  const code = codeOf(error)
  return code === "" || isKnown(code) ? undefined : { kind: "error", value: code }
}

const noting = (made: WireError, oddity: Oddity | undefined): WireError => {
  made.oddity = oddity
  return made
}

/** No socket could be opened: nothing was sent. */
export const connectError = (origin: string, error: unknown): WireError => {
  if (isOurs(error)) return error
  const full = safely(() => lacksDescriptors(error), false)
  const reason = full ? "FileDescriptors" : connectionOf(error)
  return noting(new WireError(reason, "no", `cannot connect to ${origin}: ${textOf(error)}`, error), oddityOf(error))
}

const isMalformed = (error: unknown): boolean => safely(() => error instanceof ProtocolError, false)

/** An HTTP/1.1 exchange that had begun to be sent. `heard`: bytes came, but no complete head. */
export const h1Error = (error: unknown, answered: boolean, heard = false): WireError => {
  if (isOurs(error)) return error
  const malformed = isMalformed(error) || (heard && !answered)
  const what = answered ? "the response was cut" : "the connection broke before a response"
  const text = safely(() => error instanceof HeadOverflow, false)
    ? textOf(error)
    : `${malformed ? "the response is not HTTP/1.1" : what}: ${textOf(error)}`
  const reason = malformed ? "Malformed" : connectionOf(error)
  return noting(new WireError(reason, answered ? "yes" : "maybe", text, error), oddityOf(error))
}

/** An HTTP/1.1 exchange that was on a connection, and of which nothing had been written yet. */
export const unwritten = (error: unknown): WireError =>
  isOurs(error)
    ? error
    : noting(
        new WireError(
          connectionOf(error),
          "no",
          `the connection closed before the request was sent: ${textOf(error)}`,
          error
        ),
        oddityOf(error)
      )

/** The request can't be written as HTTP. */
export const unsendable = (error: unknown): WireError =>
  new WireError("Malformed", "no", `the request can't be sent: ${textOf(error)}`, error)

/** The caller's own stream of request bytes failed. */
export const uploadError = (error: unknown): WireError =>
  new WireError("Aborted", "maybe", `the request's body could not be read: ${textOf(error)}`, error)

/** Node's own telling of a GOAWAY, which has the code alone. */
const isGoaway = (error: unknown): boolean => codeOf(error) === "ERR_HTTP2_SESSION_ERROR"

/**
 * An HTTP/2 stream that ended otherwise than by END_STREAM; `code` is of RST_STREAM or GOAWAY, `goaway` what the server
 * ended the session with.
 */
export const h2Error = (
  code: number,
  answered: boolean,
  processed: "no" | "maybe",
  error: unknown,
  goaway?: Goaway
): WireError => {
  if (isOurs(error) && !answered && processed === "maybe") return error
  // nghttp2's own verdict on what it read, as opposed to a code that the server sent.
  const malformed = codeOf(error) === "ERR_HTTP2_ERROR"
  const what = malformed
    ? "the response is not HTTP/2"
    : answered
      ? "the response was cut before its end"
      : "the stream was closed before a response"
  const after = goaway === undefined ? "" : `, after ${goaway.text}`
  const why = error === undefined || (goaway !== undefined && isGoaway(error)) ? "" : `: ${textOf(error)}`
  const text = `${what} (HTTP/2 code ${signed(code)})${after}${why}${remedyOf(code, goaway?.code)}`
  const reason = malformed ? "Malformed" : "Connection"
  const made = new WireError(reason, answered ? "yes" : processed, text, error)
  return noting(made, code > lastHttp2Code ? { kind: "http2", value: String(signed(code)) } : oddityOf(error))
}
