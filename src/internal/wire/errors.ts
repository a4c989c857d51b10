/** Failures of an HTTP exchange, as the sockets and the policies below the `fetch` tell them. */
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
   * The server is not who it should be, our own certificate can't be used, or the proxy refuses the tunnel: no other attempt
   * would find it otherwise.
   */
  | "Untrusted"
  /** It would have to be sent where it must not go. */
  | "Refused"
  | "Closed"

/** Something that nothing here has heard of. */
export interface Oddity {
  readonly kind: "status" | "error" | "http2"
  readonly value: string
}

/** Why an exchange failed. `cause` is the socket's or the protocol's own error, or the signal's reason. */
export class WireError extends Error {
  override readonly name = "WireError"
  readonly reason: WireReason
  readonly processed: Processed
  /** How often the pool itself had sent the request anew, since servers turned it away unread. */
  resent = 0
  /** What of it is not known. */
  oddity: Oddity | undefined = undefined
  constructor(reason: WireReason, processed: Processed, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
    this.processed = processed
  }
}

/** The request has had all its time. The words are those by which SDKs know a timeout. */
export class DeadlinePassed extends WireError {
  /** Whether most of that time went by in waiting for an answer, so that it says something of who was asked. */
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
