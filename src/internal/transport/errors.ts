/** The one place where the errors of sockets and protocols become ours. */
import { WireError } from "../wire.ts"
import { lacksDescriptors } from "./descriptors.ts"

const codeOf = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  return typeof code === "string" ? code : ""
}

const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  // What net throws when all addresses of a name failed has no message of its own.
  return error.message === "" ? codeOf(error) : error.message
}

/** OpenSSL's verdicts on a certificate (X509_V_ERR_*), as Node names them, and Node's own on its names. */
const verdicts =
  /^(ERR_TLS_CERT_ALTNAME_INVALID|CERT_\w+|(DEPTH_ZERO_)?SELF_SIGNED_CERT\w*|UNABLE_TO_\w+|CRL_\w+|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED|ERROR_IN_CERT_\w+)$/

/** What is wrong with certificates, theirs or ours, is wrong with the next attempt too. */
const isUntrusted = (code: string): boolean => verdicts.test(code) || code.startsWith("ERR_OSSL_")

/** No socket could be opened: nothing was sent. */
export const connectError = (origin: string, error: unknown): WireError => {
  if (error instanceof WireError) return error
  const code = codeOf(error)
  const reason = lacksDescriptors(error) ? "FileDescriptors" : isUntrusted(code) ? "Untrusted" : "Connection"
  return new WireError(reason, "no", `cannot connect to ${origin}: ${textOf(error)}`, error)
}

/** undici's parser errors have no code (of 8.13 at least); one of them means that the bytes ended too early. */
const isMalformed = (error: unknown): boolean =>
  codeOf(error) === "UND_ERR_HEADERS_OVERFLOW" ||
  (error instanceof Error && error.name === "HTTPParserError" && !error.message.includes("Invalid EOF state"))

/**
 * undici's verdict on an HTTP/1.1 exchange that it had begun to send. `heard`: something came that is no whole head, which
 * undici does not tell from nothing.
 */
export const h1Error = (error: unknown, answered: boolean, heard = false): WireError => {
  if (error instanceof WireError) return error
  const malformed = isMalformed(error) || (heard && !answered)
  const what = answered ? "the response was cut" : "the connection broke before a response"
  return new WireError(
    malformed ? "Malformed" : "Connection",
    answered ? "yes" : "maybe",
    malformed ? `the response is not HTTP/1.1: ${textOf(error)}` : `${what}: ${textOf(error)}`,
    error
  )
}

/** The request can't be written down as HTTP at all. */
export const unsendable = (error: unknown): WireError =>
  new WireError("Malformed", "no", `the request can't be sent: ${textOf(error)}`, error)

/** The caller's own stream of request bytes failed. */
export const uploadError = (error: unknown): WireError =>
  new WireError("Aborted", "maybe", `the request's body failed: ${textOf(error)}`, error)

/** An HTTP/2 stream that ended otherwise than by END_STREAM; `code` is of RST_STREAM or GOAWAY. */
export const h2Error = (code: number, answered: boolean, processed: "no" | "maybe", error: unknown): WireError => {
  if (error instanceof WireError && !answered && processed === "maybe") return error
  // nghttp2's own verdict on what it read, as opposed to a code that the server sent.
  const malformed = codeOf(error) === "ERR_HTTP2_ERROR"
  const what = malformed
    ? "the response is not HTTP/2"
    : answered
      ? "the response was cut before its end"
      : "the stream was closed before a response"
  const why = error === undefined ? "" : `: ${textOf(error)}`
  const reason = malformed ? "Malformed" : "Connection"
  return new WireError(reason, answered ? "yes" : processed, `${what} (HTTP/2 code ${code})${why}`, error)
}
