/** The options that bound the line of a config's tenant. */
import { type ClientConfig, transportKey } from "../../ClientConfig.ts"
import { credentialKeys } from "../config/value.ts"
import type { StartBounds } from "../request/startQueue.ts"

export const boundsOf = (config: ClientConfig): StartBounds => ({
  origin: transportKey(config).origin,
  maxQueue: config.transport.maxQueue,
  // Each credential of a pool has a quota, and a bound, of its own.
  maxWaiters: config.quota.maxWaiters * credentialKeys(config).length
})
