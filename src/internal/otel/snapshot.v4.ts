/** Values of all series in effect's registry, as exporters read them. */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { labelsOf } from "./series.ts"

export type SeriesState =
  | { readonly type: "counter" | "gauge"; readonly value: number | bigint }
  | {
      readonly type: "histogram"
      /** Finite upper bounds and counts, each with those below it: above them is `count`. */
      readonly buckets: ReadonlyArray<readonly [most: number, count: number]>
      readonly count: number
      readonly sum: number
    }

export interface SeriesSnapshot {
  readonly name: string
  readonly description: string | undefined
  readonly labels: ReadonlyArray<readonly [name: string, value: string]>
  readonly state: SeriesState
}

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
