/** Failures of an HTTP exchange, as the sockets and the policies below the `fetch` report them. */
import type { Processed } from "../../ClientError.ts"

export type WireReason =
  | "Connection"
  | "FileDescriptors"
  | "Capacity"
  | "QueueTimeout"
  | "Timeout"
  | "Aborted"
  | "Malformed"
  /** Its answer is no more than the telling of a failure. */
  | "Server"
  | "QuotaExceeded"
  /**
   * The server has the wrong identity, our own certificate can't be used, or the proxy refuses the tunnel: another
   * attempt would fail alike.
   */
  | "Untrusted"
  /** It would have to be sent where it must not go. */
  | "Refused"
  | "Closed"

/** An unknown value. */
export interface Oddity {
  readonly kind: "status" | "error" | "http2"
  readonly value: string
}

/** Failure of an exchange. `cause` is the socket's or the protocol's own error, or the signal's reason. */
export class WireError extends Error {
  override readonly name = "WireError"
  readonly reason: WireReason
  readonly processed: Processed
  /** Number of times that the pool itself had resent the request, since servers refused it unread. */
  resent = 0
  /** Unknown status, error or HTTP/2 code in it, if there is one. */
  oddity: Oddity | undefined = undefined
  constructor(reason: WireReason, processed: Processed, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
    this.processed = processed
  }
}

/** The request has had all its time. The text is that by which SDKs recognize a timeout. */
export class DeadlinePassed extends WireError {
  /** True if at least half of that time was spent waiting for a response: it then counts against the server. */
  readonly isTelling: boolean
  readonly ms: number
  constructor(processed: Processed, ms: number, isTelling = false) {
    super("Timeout", processed, `the request timed out: not finished within its deadline of ${ms} ms`)
    this.ms = ms
    this.isTelling = isTelling
  }
}

/** It was not sent, since nothing like it has got in of late. */
export class CircuitOpen extends WireError {
  /** Milliseconds until the next probe goes. */
  readonly left: number
  constructor(message: string, left: number) {
    super("Connection", "no", message)
    this.left = left
  }
}
