/** Options of a pool of sockets, and their defaults. */
import { type TransportLimits, transportLimits } from "../util/bounds.ts"
import type { Ticker } from "../util/ticker.ts"
import type { BudgetUsedUp, CircuitChange } from "../overload/health.ts"
import type { AllowAddress } from "./allowAddress.ts"
import { chosenRuntime } from "./runtime/choice.ts"
import type { FetchRuntime } from "./runtime/runtime.ts"
import type { SocketBudget } from "./sockets.ts"

/** Use of HTTP/2: see `PoolOptions`. */
type Http2 = boolean | "prior-knowledge"

/** `process`: the sockets of other client layers, or the descriptors, leave none. */
type Bound = "maxConnections" | "maxSockets" | "process"

/** The bound at which requests wait: see `onStarved`. */
export interface Starved {
  /** The bound that was reached. */
  readonly bound: Bound
  readonly origin: string
  /** That bound's value; of `process`, the sockets that this client layer has of it. */
  readonly limit: number
  /** Number of requests that wait. */
  readonly queued: number
  /** Time that the first of them has waited, in ms. */
  readonly waited: number
}

/** All times in milliseconds, `Infinity` for never. `TransportOptions` documents the limits. */
export interface PoolOptions extends Partial<TransportLimits> {
  /** Scheme, host and port, for instance `https://api.openai.com`. */
  readonly origin: string
  /** The bound that this pool shares with others. */
  readonly budget: SocketBudget
  /** Sockets to this origin at most. @default 256 */
  readonly maxConnections?: number | undefined
  /**
   * `true`: whatever ALPN decides on https, HTTP/1.1 on http. `false`: HTTP/1.1. `"prior-knowledge"`: HTTP/2 over
   * clear text on http origins. @default true
   */
  readonly http2?: Http2 | undefined
  /**
   * Longest idle time of a socket. HTTP/1.1 connections stay for the time in the server's `Keep-Alive: timeout`, less a
   * second, and for 4 s where there is none. 0: one request a socket. @default 60_000
   */
  readonly keepAlive?: number | undefined
  /** A socket takes no new requests when it is older than this, less up to a fifth at random. @default 300_000 */
  readonly maxConnectionAge?: number | undefined
  /**
   * While requests are on an HTTP/2 session it is pinged this often. After one ping that was not answered for as long
   * it takes no new requests until the peer sends something; after a second it is dropped. @default 10_000
   */
  readonly pingInterval?: number | undefined
  /** For DNS, TCP, the proxy, TLS, and HTTP/2's SETTINGS together. @default 10_000 */
  readonly connectTimeout?: number | undefined
  /** Failures at least, with nothing answered since, that open a circuit; 0: none do. @default 64 */
  readonly circuitFailures?: number | undefined
  /** The longest pause between two probes through an open circuit. @default 5_000 */
  readonly circuitCooldown?: number | undefined
  /** The clock of circuits. @default the process's own */
  readonly ticker?: Ticker | undefined
  /** Called when a circuit opens and when it closes. Must not throw. */
  readonly onCircuit?: ((change: CircuitChange) => void) | undefined
  /** Called when retries are denied for want of a budget, until there is one again. Must not throw. */
  readonly onBudget?: ((usedUp: BudgetUsedUp) => void) | undefined
  /** `http://user:password@host:port`, or https: tunnels by CONNECT, for http origins too. Secret. */
  readonly proxy?: string | undefined
  /** PEM: the certificate authorities to trust, instead of Node's own. */
  readonly ca?: string | undefined
  /** PEM: this client's certificate. */
  readonly cert?: string | undefined
  /** PEM: its private key. Secret. */
  readonly key?: string | undefined
  /** Returns true if sockets may connect to an address; `host` is the name that led there. @default all */
  readonly allowAddress?: AllowAddress | undefined
  /** Time for which the first in the queue may wait at a bound before `onStarved` is called. @default 5_000 */
  readonly starvedAfter?: number | undefined
  /** Time for which a body that was never read may block requests that wait for a socket. @default 10_000 */
  readonly unreadTimeout?: number | undefined
  /** Called once a pool. Must not throw. */
  readonly onStarved?: ((info: Starved) => void) | undefined
  /** The runtime whose own `fetch` sends the requests. @default this process's where the pool can't open sockets */
  readonly runtime?: FetchRuntime | undefined
}

/** The options with their defaults. */
export interface Settings extends TransportLimits {
  readonly origin: string
  readonly url: URL
  readonly maxConnections: number
  readonly http2: Http2
  readonly keepAlive: number
  readonly maxConnectionAge: number
  readonly pingInterval: number
  readonly connectTimeout: number
  readonly starvedAfter: number
  readonly unreadTimeout: number
  readonly onStarved: ((info: Starved) => void) | undefined
  readonly circuitFailures: number
  readonly circuitCooldown: number
  readonly ticker: Ticker | undefined
  readonly onCircuit: ((change: CircuitChange) => void) | undefined
  readonly onBudget: ((usedUp: BudgetUsedUp) => void) | undefined
  readonly runtime: FetchRuntime | undefined
}

export const resolve = (options: PoolOptions): Settings => {
  const url = new URL(options.origin)
  const runtime = options.runtime ?? chosenRuntime()
  const limits = { ...transportLimits }
  for (const name of Object.keys(limits) as ReadonlyArray<keyof TransportLimits>)
    limits[name] = options[name] ?? limits[name]
  return {
    ...limits,
    origin: url.origin,
    url,
    maxConnections: options.maxConnections ?? 256,
    // A runtime chooses the protocol by itself, and each of its slots carries one request.
    http2: runtime === undefined && (options.http2 ?? true),
    keepAlive: options.keepAlive ?? 60_000,
    maxConnectionAge: options.maxConnectionAge ?? 300_000,
    pingInterval: options.pingInterval ?? 10_000,
    connectTimeout: options.connectTimeout ?? 10_000,
    starvedAfter: options.starvedAfter ?? 5_000,
    unreadTimeout: options.unreadTimeout ?? 10_000,
    onStarved: options.onStarved,
    circuitFailures: options.circuitFailures ?? 64,
    circuitCooldown: options.circuitCooldown ?? 5_000,
    ticker: options.ticker,
    onCircuit: options.onCircuit,
    onBudget: options.onBudget,
    runtime
  }
}
