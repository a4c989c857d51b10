/** The options that bound the line of a config's tenant. */
import { type ClientConfig, transportKey } from "../../ClientConfig.ts"
import type { StartBounds } from "../request/startQueue.ts"

export const boundsOf = (config: ClientConfig): StartBounds => ({
  origin: transportKey(config).origin,
  maxQueue: config.transport.maxQueue,
  maxWaiters: config.quota.maxWaiters
})
