/** Values of all series in effect's registry, as exporters read them. */
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import type { SeriesSnapshot, SeriesState } from "./seriesModel.ts"
import { labelsOf } from "./series.ts"

const stateOf = (state: MetricState.MetricState.Untyped): SeriesState | undefined => {
  if (MetricState.isCounterState(state)) return { type: "counter", value: state.count }
  if (MetricState.isGaugeState(state)) return { type: "gauge", value: state.value }
  return MetricState.isHistogramState(state)
    ? {
        type: "histogram",
        buckets: state.buckets.filter(([most]) => Number.isFinite(most)),
        count: state.count,
        sum: state.sum
      }
    : undefined
}

/** Frequencies and summaries, which this package does not make, are omitted. */
export const snapshot = (): ReadonlyArray<SeriesSnapshot> =>
  Metric.unsafeSnapshot().flatMap(({ metricKey, metricState }) => {
    const state = stateOf(metricState)
    if (state === undefined) return []
    const labels = labelsOf(metricKey).map(({ key, value }) => [key, value] as const)
    return [{ name: metricKey.name, description: Option.getOrUndefined(metricKey.description), labels, state }]
  })
