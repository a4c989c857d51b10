/**
 * Limits that are known and what is left of them, as gauges: by provider and model, of the budgets of all credentials
 * together, since a key is no label. A budget that is at rest has all that it may, and is in none of them.
 */
import type { Stats } from "../../ClientMap.ts"
import { bounded } from "../telemetry/bounded.ts"
import * as Series from "../otel/series.ts"

/** Adds to a gauge. */
export type Note = (key: typeof limitKey, labels: Series.Labels, by: number) => void

/** A label distinguishes requests and tokens, so the metric has no unit. */
const limitKey = Series.gauge(
  "clientele.quota.limit",
  "1",
  "Limits of the budgets in use: requests at once, requests a minute, tokens a minute"
)

const leftKey = Series.gauge("clientele.quota.left", "1", "Remainder of these limits now")

const closedKey = Series.gauge(
  "clientele.quota.closed",
  "{budget}",
  "Budgets closed now by their provider's rate limits"
)

export const keys = [limitKey, leftKey, closedKey]

/** Calls `note` with what each budget adds to a gauge. */
export const visit = ({ quotas }: Stats, note: Note): void => {
  for (const { models, provider, requestsPerMinute, tokensPerMinute } of quotas) {
    for (const { closedUntil, inFlight, limit, model, requestsLeft, tokensLeft } of models) {
      const labels: Series.Labels = [
        ["provider", provider],
        ["gen_ai.request.model", bounded("model", model)]
      ]
      const add = (kind: string, most: number, left: number): void => {
        if (most === Infinity) return
        const kinds: Series.Labels = [...labels, ["limit", kind]]
        note(limitKey, kinds, most)
        note(leftKey, kinds, left)
      }
      add("concurrency", limit, Math.max(0, limit - inFlight))
      add("requests", requestsPerMinute, requestsLeft)
      add("tokens", tokensPerMinute, tokensLeft)
      if (closedUntil !== undefined) note(closedKey, labels, 1)
    }
  }
}
