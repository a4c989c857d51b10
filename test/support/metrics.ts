/** Contents of effect's registry for a metric. */
import * as Metric from "effect/Metric"

export interface Series {
  /** The unit as effect's exporters read it. */
  readonly unit: string | undefined
  readonly labels: Readonly<Record<string, string>>
  /** Counters and histograms alone. */
  readonly count: number
  /** Histograms alone. */
  readonly sum: number
  /** Gauges alone. */
  readonly value: number
}

const field = (state: object, name: string): number => Number((state as Record<string, unknown>)[name])

/** The series of a metric that have these labels, among others. */
export const series = (name: string, having: Readonly<Record<string, string>> = {}): ReadonlyArray<Series> =>
  Metric.unsafeSnapshot().flatMap(({ metricKey, metricState }) => {
    if (metricKey.name !== name) return []
    const { unit, ...labels } = Object.fromEntries(metricKey.tags.map(({ key, value }) => [key, value]))
    if (Object.entries(having).some(([key, value]) => labels[key] !== value)) return []
    const [count, sum, value] = ["count", "sum", "value"].map((one) => field(metricState, one)) as [
      number,
      number,
      number
    ]
    return [{ unit, labels, count, sum, value }]
  })
