/** Contents of effect's registry for a metric. */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"

export interface Series {
  readonly name: string
  readonly kind: "counter" | "gauge" | "histogram"
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

const kinds: Readonly<Record<string, Series["kind"]>> = { Counter: "counter", Gauge: "gauge", Histogram: "histogram" }

export const isMetric = (u: object): u is Metric.Metric<never, unknown> => Metric.isMetric(u)

/** All series of effect's registry. */
export const allSeries = (): ReadonlyArray<Series> =>
  Metric.snapshotUnsafe(Context.empty()).map(({ attributes, id, state, type }) => {
    const { unit, ...labels } = { ...attributes }
    const [count, sum, value] = ["count", "sum", "value"].map((one) => field(state, one)) as [number, number, number]
    return { name: id, kind: kinds[type]!, unit, labels, count, sum, value }
  })

/** The series of a metric that have these labels, among others. */
export const series = (name: string, having: Readonly<Record<string, string>> = {}): ReadonlyArray<Series> =>
  allSeries().filter(
    (one) => one.name === name && Object.entries(having).every(([key, value]) => one.labels[key] === value)
  )
