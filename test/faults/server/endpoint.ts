/** Common parts of both hand-written servers. */
import type { Line, Wire } from "./arrival.ts"

/** A certificate of one's own, in PEM. */
interface Pair {
  readonly cert: string
  readonly key: string
}

export interface EndpointOptions {
  /** `true`: with the certificate that clients trust. */
  readonly secure: boolean | Pair
  /** MAX_CONCURRENT_STREAMS of HTTP/2. */
  readonly streams: number
  readonly onOpen: (line: Line) => void
  readonly onRequest: (wire: Wire, body: string) => void
}

export interface Endpoint {
  readonly port: number
  /** Accepted so far. */
  readonly connections: () => number
  readonly open: () => number
  /** Requests that the client has given up: streams reset, or sockets closed before an answer. */
  readonly aborts: () => number
  readonly close: () => Promise<void>
}
