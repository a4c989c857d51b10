import type { Stats } from "../../ClientMap.ts"

/** Statistics of a map through which nothing has been sent. */
export const noStats: Stats = {
  hits: 0,
  misses: 0,
  built: 0,
  released: 0,
  evicted: 0,
  failed: 0,
  waiting: 0,
  sockets: 0,
  unclassified: 0,
  clients: [],
  quotas: []
}
