/**
 * A session of node:http2 that has something to answer reads nothing while it writes. Over TLS Node (22 and 24; not
 * 26.12) loses the failure of a write that had more to follow: the write never ends, the session never reads again, and
 * the reset of the connection goes unnoticed. A read all the same notices it at once. It costs a healthy session one
 * read beside a write, after which the session stops again.
 */
import type { Socket } from "node:net"

/** No public method reaches the handle of a socket that a session has taken over. */
interface Handle {
  readonly readStart?: () => unknown
}

export const readOn = (socket: Socket): void => {
  const { _handle: handle } = socket as { readonly _handle?: Handle | null }
  handle?.readStart?.()
}
