/** Tag of the store that a process shares with others; without one, the quotas of each process count for themselves. */
import * as Context from "effect/Context"
import type { QuotaStore as StoreService } from "./store.ts"

/**
 * The store in which budgets are counted. `QuotaRedis.layer` provides one; by default each process counts for itself.
 *
 * @since 0.1.0
 * @category services
 */
export class Store extends Context.Reference<Store>()("clientele/Quota/Store", {
  defaultValue: (): StoreService | undefined => undefined
}) {}
