/**
 * Limits that are known and what is left of them, as gauges: by provider and model, of the budgets of all credentials
 * together, since a key is no label. A budget that is at rest has all that it may, and is in none of them.
 */
import * as Metric from "effect/Metric"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import type { Stats } from "../../ClientMap.ts"
import { bounded } from "./bounded.ts"

const limitKey = MetricKey.gauge("clientele.quota.limit", {
  description: "What the budgets that are in use allow: requests at once, requests a minute, tokens a minute"
})

const leftKey = MetricKey.gauge("clientele.quota.left", {
  description: "What is left of that now"
})

const closedKey = MetricKey.gauge("clientele.quota.closed", {
  description: "Budgets that their provider keeps closed now"
})

type Key = MetricKey.MetricKey.Gauge<number>
type Labels = ReadonlyArray<readonly [name: string, value: string]>

interface Gauge {
  readonly hook: { readonly update: (value: number) => void }
  value: number
}

/** All that have been told: the registry keeps them, so those that are of no budget any more are 0. */
const gauges = new Map<string, Gauge>()

const gaugeOf = (key: Key, labels: Labels): Gauge => {
  const id = [key.name, ...labels.map(([, value]) => value)].join("\n")
  let gauge = gauges.get(id)
  if (gauge === undefined) {
    const made = labels.map(([name, value]) => MetricLabel.make(name, value))
    gauges.set(id, (gauge = { hook: Metric.globalMetricRegistry.get(MetricKey.taggedWithLabels(key, made)), value: 0 }))
  }
  return gauge
}

export const update = ({ quotas }: Stats): void => {
  for (const gauge of gauges.values()) gauge.value = 0
  for (const { models, provider, requestsPerMinute, tokensPerMinute } of quotas) {
    for (const { closedUntil, inFlight, limit, model, requestsLeft, tokensLeft } of models) {
      const labels: Labels = [
        ["provider", provider],
        ["gen_ai.request.model", bounded("model", model)]
      ]
      const add = (kind: string, most: number, left: number): void => {
        if (most === Infinity) return
        const kinds: Labels = [...labels, ["limit", kind]]
        gaugeOf(limitKey, kinds).value += most
        gaugeOf(leftKey, kinds).value += left
      }
      add("concurrency", limit, Math.max(0, limit - inFlight))
      add("requests", requestsPerMinute, requestsLeft)
      add("tokens", tokensPerMinute, tokensLeft)
      if (closedUntil !== undefined) gaugeOf(closedKey, labels).value++
    }
  }
  for (const { hook, value } of gauges.values()) hook.update(value)
}
