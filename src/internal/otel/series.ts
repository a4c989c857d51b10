/**
 * Metrics, declared once: noted in effect's registry, and for clients that are made without Effect through OpenTelemetry's
 * API as well. Effect's registry has no units: its exporters read them from a label `unit`.
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricKeyType from "effect/MetricKeyType"
import * as MetricLabel from "effect/MetricLabel"
import * as Option from "effect/Option"
import * as Meter from "./meter.ts"
import type { Attributes } from "./registry.ts"

const UNIT = "unit"

const names = new Set<string>()

const withUnit = <K extends MetricKey.MetricKey.Untyped>(key: K, unit: string): K => {
  names.add(key.name)
  return MetricKey.tagged(key, UNIT, unit) as K
}

export const histogram = (
  name: string,
  unit: string,
  boundaries: ReadonlyArray<number>,
  description: string
): MetricKey.MetricKey.Histogram =>
  withUnit(MetricKey.histogram(name, MetricBoundaries.fromIterable(boundaries), description), unit)

export const counter = (name: string, unit: string, description: string): MetricKey.MetricKey.Counter<number> =>
  withUnit(MetricKey.counter(name, { description, incremental: true }), unit)

export const gauge = (name: string, unit: string, description: string): MetricKey.MetricKey.Gauge<number> =>
  withUnit(MetricKey.gauge(name, { description }), unit)

/** The labels of a series as text formats show them. */
export const labelsOf = ({ name, tags }: MetricKey.MetricKey.Untyped): ReadonlyArray<MetricLabel.MetricLabel> =>
  names.has(name) ? tags.filter(({ key }) => key !== UNIT) : tags

/** Tells series apart. */
export const idOf = ({ name }: Key, labels: Labels): string =>
  [name, ...labels.map(([, value]) => String(value))].join("\n")

const unitOf = ({ tags }: MetricKey.MetricKey.Untyped): string => tags.find(({ key }) => key === UNIT)?.value ?? "1"

/** Names and values in an order: effect holds another order for another series. */
export type Labels = ReadonlyArray<readonly [name: string, value: string | number]>

export interface Series {
  readonly update: (value: number) => void
}

type Key = MetricKey.MetricKey.Histogram | MetricKey.MetricKey.Counter<number> | MetricKey.MetricKey.Gauge<number>

const registered = (key: Key, labels: Labels): Series =>
  Metric.globalMetricRegistry.get(
    MetricKey.taggedWithLabels(
      key as MetricKey.MetricKey.Gauge<number>,
      labels.map(([name, value]) => MetricLabel.make(name, String(value)))
    )
  )

const kindOf = ({ keyType }: Key): Meter.Declared["kind"] => {
  if (MetricKeyType.isHistogramKey(keyType)) return "histogram"
  return MetricKeyType.isCounterKey(keyType) ? "counter" : "gauge"
}

export const declared = (key: Key): Meter.Declared => ({
  name: key.name,
  kind: kindOf(key),
  description: Option.getOrElse(key.description, () => ""),
  unit: unitOf(key),
  boundaries: MetricKeyType.isHistogramKey(key.keyType) ? key.keyType.boundaries.values : undefined
})

/** `isExported`: through OpenTelemetry's API as well. */
export const open = (key: Key, labels: Labels, isExported: boolean): Series => {
  const series = registered(key, labels)
  if (!isExported) return series
  const metric = declared(key)
  const attributes: Attributes = Object.fromEntries(labels)
  return {
    update: (value) => {
      series.update(value)
      Meter.record(metric, value, attributes)
    }
  }
}
