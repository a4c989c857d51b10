/** The reason that a server gives when it ends an HTTP/2 session. */
import { oneLine } from "../../redaction/escapeControl.ts"

/** RFC 9113, 7, by their numbers. */
const names = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED"
] as const

/** In characters. */
const mostTold = 100

/**
 * Text that may be a credential: a session is shared, so its readers may belong to other credentials, and only the
 * credential's own requests could recognize it.
 */
const secretive = /(?=\S*\d)\S{16,}/g

/** A code as the server meant it: those of nghttp2 itself, which some servers send by mistake, are less than nothing. */
export const signed = (code: number): number => code | 0

const textOf = (data: Uint8Array | undefined): string => {
  if (data === undefined) return ""
  const words = oneLine(new TextDecoder().decode(data.subarray(0, 1_024)).replace(secretive, "[hidden]"))
  const characters = Array.from(words)
  return characters.length > mostTold ? `${characters.slice(0, mostTold - 1).join("")}…` : words
}

export interface Goaway {
  readonly code: number
  /** Such as `GOAWAY ENHANCE_YOUR_CALM (11): too_many_pings`. */
  readonly text: string
}

export const goawayOf = (code: number, data: Uint8Array | undefined): Goaway => {
  const name = names[code]
  const reason = textOf(data)
  const what = name === undefined ? String(signed(code)) : `${name} (${code})`
  return { code, text: `GOAWAY ${what}${reason === "" ? "" : `: ${reason}`}` }
}

/** The remedy for codes of servers that refuse to speak HTTP/2, or can't quite; "" for all others. */
export const remedyOf = (...codes: ReadonlyArray<number | undefined>): string =>
  // Apache's mod_http2 ends sessions with -902 when it restarts under POSTs.
  codes.some((code = 0) => signed(code) < 0 || names[code] === "HTTP_1_1_REQUIRED")
    ? "; try `transport: { http2: false }`"
    : ""
