/** Interfaces between a pool and a socket, whichever protocol it speaks. */
import type { HeadLimits } from "../util/bounds.ts"
import type { WireError } from "../wire/errors.ts"
import type { Carrier, PendingRequest } from "./pendingRequest.ts"

/** A socket that can carry requests: an HTTP/2 session, or an HTTP/1.1 connection. */
export interface Connection extends Carrier {
  readonly protocol: "h2" | "http/1.1"
  /** When it opened; all times are by performance.now(). */
  readonly openedAt: number
  /** When it is to be retired. */
  readonly expiresAt: number
  /** Exchanges on it. */
  readonly active: number
  /** Since when it has none. */
  readonly idleSince: number
  /** Responses in a row of a failing backend: see Roster. */
  failures: number
  /** Good answers of the whole pool when the first of those came. */
  goodBefore: number
  /** Number of further requests that it takes now. */
  readonly room: () => number
  /** False if the lane turns out to be unusable: it has retired, and the exchange is as it was. */
  readonly send: (exchange: PendingRequest) => boolean
  /** It takes no more requests, and closes when those on it have ended. */
  readonly retire: () => void
  /** Closes at once; whatever is on it fails with `error`. */
  readonly destroy: (error: WireError) => void
  readonly exchanges: () => Iterable<PendingRequest>
  /** Pings, idle time and the like: called every so often. */
  readonly tick: (now: number) => void
}

/** Callbacks from a lane to its pool. */
export interface ConnectionHost {
  /** It has room again. */
  readonly freed: (lane: Connection) => void
  /** A response has begun, or none will: `status` is undefined. */
  readonly answered: (lane: Connection, exchange: PendingRequest, status: number | undefined) => void
  /** It will take no more requests: out of the lists with it. */
  readonly retired: (lane: Connection) => void
  /** Its socket has closed. */
  readonly gone: (lane: Connection) => void
  /** The exchange was certainly not processed, and wants another lane. */
  readonly requeue: (exchange: PendingRequest, error: WireError) => void
}

/** A lane that is being opened. */
export interface Opening {
  /** `protocol`: what the pool's other lanes speak, `undefined` where there are none. */
  readonly start: (protocol: Connection["protocol"] | undefined) => void
  /** It is not needed any more. */
  readonly cancel: () => void
}

/** Callbacks from an opening, and from the lane that comes of it, to their pool. */
export interface OpeningHost extends ConnectionHost {
  readonly opened: (opening: Opening, lane: Connection) => void
  readonly failed: (opening: Opening, error: unknown) => void
  /** The socket's descriptor is free again; comes once, whatever else came. */
  readonly closed: () => void
}

/** Times in milliseconds: see PoolOptions. */
export interface ConnectionLimits extends HeadLimits {
  readonly keepAlive: number
  readonly maxConnectionAge: number
  readonly pingInterval: number
}

/** Jittered by up to a fifth, so that lanes which opened together don't all leave together. */
export const expiry = (now: number, maxConnectionAge: number): number =>
  now + maxConnectionAge * (0.8 + Math.random() * 0.2)
