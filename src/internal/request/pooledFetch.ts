/** What a client of the map gives to those who send requests through it. */
import type { PoolError, RequestError } from "../../ClientError.ts"

type Fetch = typeof globalThis.fetch

export interface PooledFetch {
  /** Rejects with a PoolError once the lease is over. What it rejects with is ours, and so is what cuts a body. */
  readonly fetch: Fetch
  /**
   * The same for who holds no lease, and so takes one with it: a hit of the client map. `undefined` once the client has
   * gone: nothing was begun, and another lease may be taken.
   */
  readonly tryFetch: (...args: Parameters<Fetch>) => Promise<Response> | undefined
}

/** Under this name a request's own settings travel in the `init` of its fetch, which SDKs hand on as it is. */
export const OWN: unique symbol = Symbol.for("clientele/own")

/** What one request has otherwise than its client. */
export interface Own {
  /** Milliseconds from a request's turn to the headers, `Infinity` for none. */
  readonly timeout?: number | undefined
  readonly maxRetries?: number | undefined
  /** Whoever sends it meters the call of a model that it is, and makes a span of it. @default false */
  readonly isMetered?: boolean | undefined
  /** Whoever sends it makes a span of it. @default false */
  readonly isTraced?: boolean | undefined
  /** What the reader of its body is thrown for a failure. Must not throw. @default the failure itself */
  readonly told?: ((failure: PoolError | RequestError) => unknown) | undefined
}

export const ownOf = (init: object | undefined): Own | undefined =>
  (init as { readonly [OWN]?: Own } | undefined)?.[OWN]
