/** Contents of effect's registry for a metric. */
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"

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

const kindOf = (state: object): Series["kind"] =>
  MetricState.isCounterState(state as never)
    ? "counter"
    : MetricState.isGaugeState(state as never)
      ? "gauge"
      : "histogram"

export const isMetric = (u: object): u is Metric.Metric<unknown, unknown, unknown> => Metric.MetricTypeId in u

/** All series of effect's registry. */
export const allSeries = (): ReadonlyArray<Series> =>
  Metric.unsafeSnapshot().map(({ metricKey, metricState }) => {
    const { unit, ...labels } = Object.fromEntries(metricKey.tags.map(({ key, value }) => [key, value]))
    const [count, sum, value] = ["count", "sum", "value"].map((one) => field(metricState, one)) as [
      number,
      number,
      number
    ]
    return { name: metricKey.name, kind: kindOf(metricState), unit, labels, count, sum, value }
  })

/** The series of a metric that have these labels, among others. */
export const series = (name: string, having: Readonly<Record<string, string>> = {}): ReadonlyArray<Series> =>
  allSeries().filter(
    (one) => one.name === name && Object.entries(having).every(([key, value]) => one.labels[key] === value)
  )
