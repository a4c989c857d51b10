/**
 * The contract between the `fetch` above and the sockets below: an HTTP exchange as the pools see it. Plain promises
 * and callbacks on purpose: this is the path of every request, and of every chunk.
 */
import type { WireError } from "../wire/errors.ts"
import type { CancelSource } from "../wire/cancellation.ts"
import type { About, RequestBody } from "../wire/request.ts"
import type { BodyLimits } from "../util/bounds.ts"
import type { Health } from "../overload/health.ts"
import type { Pass } from "../overload/lane.ts"

/** Milliseconds, `Infinity` for none. Waiting for busy sockets counts for `queue` alone. */
export interface Timeouts {
  /**
   * Wait for a socket, including the time to open one. A request that goes back to the queue because a server turned it
   * away unread has the time that it had left. With 0 or less it is sent at once, or fails. @default Infinity
   */
  readonly queue?: number | undefined
  /**
   * Until the response's final headers, from the moment when a connection is being opened for the request, or from dispatch
   * where none has to be. 1xx responses do not restart it.
   */
  readonly headers: number
  /** Between two chunks of the body, while a read waits for one. */
  readonly body: number
}

/** Work that has to end when a deadline passes. `expire` must not throw. */
export interface Expiring {
  readonly expire: () => void
}

/** The time that a request has, all its attempts and waits together, until its last byte. */
export interface WireDeadline {
  /** Milliseconds. */
  readonly ms: number
  readonly isPassed: boolean
  /** The current attempt: it is called when the deadline passes, and removes itself when it is done. */
  underway: Expiring | undefined
}

export interface WireRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Names in lower case; no Host, no hop-by-hop headers, no Content-Length (it follows from the body). */
  readonly headers: Readonly<Record<string, string>>
  /**
   * Makes the headers that go out of those above, in the moment of dispatch: a token may change while the request waits
   * for a socket. Must not throw. @default they go as they are
   */
  readonly seal?: ((headers: WireRequest["headers"]) => Readonly<Record<string, string>>) | undefined
  /**
   * Asked when it is about to leave the queue, and maybe more often: why it had better not be sent any more. It fails
   * with that. Must not throw. @default nothing changes while it waits
   */
  readonly recall?: (() => WireError | undefined) | undefined
  readonly body: RequestBody
  /** The same for all attempts of one request. @default itself alone */
  readonly about?: About | undefined
  /**
   * Identity of the credential that it is sent with: requests of one credential are one tenant in front of the sockets.
   * Compared by reference. @default one that all such requests have in common
   */
  readonly tenant?: object | undefined
  /**
   * The pass of a request that has waited for it. The pool drops it if nothing is sent. @default the pool enters the
   * request
   */
  readonly pass?: Pass | undefined
  readonly signal: AbortSignal | undefined
  /** A second signal that does the same: to join two into one would cost each request a controller. @default none */
  readonly outer?: CancelSource | undefined
  readonly timeouts: Timeouts
  /** @default none */
  readonly deadline?: WireDeadline | undefined
}

export interface WireBody {
  /** The next chunk, `undefined` at the end. One read at a time. Rejects with a WireError if the body is cut. */
  readonly read: () => Promise<Uint8Array | undefined>
  /** A chunk that has come and was not read, `undefined` for none; not while a read is pending. @default never one */
  readonly take?: () => Uint8Array | undefined
  /**
   * All of a body that has ended, if nothing of it was read and it has at most `most` bytes; `undefined` for any other, which
   * stays as it is. @default never
   */
  readonly takeWhole?: (most: number) => Uint8Array | undefined
  /** Gives the rest up: HTTP/2 RST_STREAM(CANCEL), HTTP/1.1 closes the socket. No-op after the end. */
  readonly cancel: () => void
  /**
   * Runs `f` once when the body has ended, failed or been cancelled (at once if it has): the exchange then holds
   * nothing. `f` must not throw, nor lead to this body: an unreachable body is cancelled when it is collected, and `f`
   * is held until then.
   */
  readonly onEnd: (f: (error: WireError | undefined) => void) => void
}

export interface WireResponse {
  readonly status: number
  /** In order, names in lower case; a repeated header is repeated. No pseudo-headers. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: WireBody
}

export interface PoolStats {
  /** Open sockets, those still connecting included. */
  readonly sockets: number
  /** Requests on the wire, their bodies included. */
  readonly inFlight: number
  /** Requests waiting for a socket. */
  readonly queued: number
  /** Sockets opened since the start. */
  readonly opened: number
  /** Circuits that are open: nothing is sent to the origin, or what asks it for a certain model or path. */
  readonly openCircuits: number
  /** The protocol that ALPN selected, `undefined` until the first socket is connected. */
  readonly protocol: "h2" | "http/1.1" | undefined
}

/** The bounded pool of one origin. */
export interface WirePool {
  /** Limits on response bodies, applied where they are decoded. */
  readonly limits: BodyLimits
  /** As in `stats`, for use at each request. */
  readonly protocol: PoolStats["protocol"]
  /** Applies the policy of overload to its requests. */
  readonly health: Health
  /** Rejects with a WireError only. Settles at once when the signal aborts, wherever the request is. */
  readonly request: (request: WireRequest) => Promise<WireResponse>
  readonly stats: () => PoolStats
  /** No new requests; those queued fail ("Closed", "no"); those in flight get `drain` ms, then are destroyed. Never rejects. */
  readonly close: (drain: number) => Promise<void>
}
