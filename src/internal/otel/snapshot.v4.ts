/** Values of all series in effect's registry, as exporters read them. */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { SeriesSnapshot, SeriesState } from "./seriesModel.ts"
import { labelsOf } from "./series.ts"

const stateOf = (metric: Metric.Metric.Snapshot): SeriesState | undefined => {
  switch (metric.type) {
    case "Counter":
      return { type: "counter", value: metric.state.count }
    case "Gauge":
      return { type: "gauge", value: metric.state.value }
    case "Histogram":
      return { type: "histogram", ...metric.state }
    default:
      return undefined
  }
}

/** Frequencies and summaries, which this package does not make, are omitted. */
export const snapshot = (): ReadonlyArray<SeriesSnapshot> =>
  Metric.snapshotUnsafe(Context.empty()).flatMap((metric) => {
    const state = stateOf(metric)
    if (state === undefined) return []
    return [{ name: metric.id, description: metric.description, labels: labelsOf(metric), state }]
  })
