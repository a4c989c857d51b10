/** Context from which a provider's layer is built: the shared things below a client, and the lease of its requests. */
import * as Context from "effect/Context"
import type { Handle } from "../../LeaseMap.ts"
import type { Quota } from "../../Quota.ts"
import type { PooledFetch } from "../request/pooledFetch.ts"
import type { Ticker } from "../util/ticker.ts"
import type { Transport } from "../../Transport.ts"
import type { Unclassified } from "../telemetry/unclassified.ts"

/** Number of requests that a client has under way. */
export interface Activity {
  requests: number
}

export interface WiringService {
  readonly transport: Transport
  /** One for each of the config's credentials, in their order. */
  readonly quotas: ReadonlyArray<Quota>
  readonly ticker: Ticker
  readonly lease: Pick<Handle, "retain" | "join" | "release">
  /** True once the client layer has been closed, which ends all leases. */
  readonly isClosed: () => boolean
  readonly activity: Activity
  readonly unclassified: Unclassified
  /** True if metrics go through OpenTelemetry's API too. */
  readonly isExported: boolean
  /** To be told how requests are sent. */
  readonly opened: (outlet: PooledFetch) => void
}

/** Provided by the client map to each client that it builds, and to nobody else. */
export class BuildContext extends Context.Tag("clientele/internal/Wiring")<BuildContext, WiringService>() {}
