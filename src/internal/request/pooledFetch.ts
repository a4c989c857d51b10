/** A client's pooled `fetch`, and the settings of one request. */
import type { PoolError, RequestError } from "../../ClientError.ts"
import type { CallContext } from "./callContext.ts"

type Fetch = typeof globalThis.fetch

/**
 * The `fetch` of one client: credential, quota, retries and pooled connections. All requests of the client go through it.
 * It rejects with a `PoolError` or a `RequestError`, and bodies that are cut fail with one.
 *
 * @since 0.1.0
 * @category models
 */
export interface PooledFetch {
  /**
   * For callers that hold a lease of the client. Each request retains the client until its body has ended, so that it
   * may outlive the lease; a request that begins after the client's release rejects with `PoolError` `Released`.
   */
  readonly fetch: Fetch
  /**
   * For callers that hold no lease: takes one for this request, which counts as a hit of the client map. `undefined` once
   * the release of the client has begun: nothing was sent, and another lease may be taken.
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
  /** The call that it belongs to, of a sender that has it at hand. @default that of the async context */
  readonly call?: CallContext | undefined
  /** Maps a failure to the error that the reader of its body gets. Must not throw. @default the failure itself */
  readonly told?: ((failure: PoolError | RequestError) => unknown) | undefined
}

export const ownOf = (init: object | undefined): Own | undefined =>
  (init as { readonly [OWN]?: Own } | undefined)?.[OWN]
