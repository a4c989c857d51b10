/** A client's pooled `fetch`, and the settings of one request. */
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

/** Settings of one request that differ from its client's. */
export interface Own {
  /** Milliseconds from a request's turn to the headers, `Infinity` for none. */
  readonly timeout?: number | undefined
  readonly maxRetries?: number | undefined
  /** True if the sender records metrics and a span of it as a call of a model. @default false */
  readonly isMetered?: boolean | undefined
  /** True if the sender records a span of it. @default false */
  readonly isTraced?: boolean | undefined
  /** Maps a failure to the error that the reader of its body gets. Must not throw. @default the failure itself */
  readonly told?: ((failure: PoolError | RequestError) => unknown) | undefined
}

export const ownOf = (init: object | undefined): Own | undefined =>
  (init as { readonly [OWN]?: Own } | undefined)?.[OWN]
