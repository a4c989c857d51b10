/**
 * Metrics, declared once: noted in effect's registry, and for clients that are made without Effect through OpenTelemetry's
 * API as well. Effect's registry has no units: its exporters read them from an attribute `unit`. A metric is its own key.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as Meter from "./meter.ts"
import type { Attributes } from "./registry.ts"

const UNIT = "unit"

const names = new Set<string>()

type Key = Metric.Counter<number> | Metric.Gauge<number> | Metric.Histogram<number>

type MetricAttributes = Readonly<Record<string, string>>

/** A declared metric. */
interface Definition {
  readonly boundaries?: ReadonlyArray<number> | undefined
  /** Makes the metric of one series. */
  readonly withAttributes: (attributes: MetricAttributes) => Metric.Metric<number, unknown>
}

const definitions = new WeakMap<Key, Definition>()

const define = <K extends Key>(
  name: string,
  unit: string,
  make: (attributes: MetricAttributes) => K,
  boundaries?: ReadonlyArray<number>
): K => {
  names.add(name)
  const key = make({ [UNIT]: unit })
  const withAttributes = (attributes: MetricAttributes) => make({ [UNIT]: unit, ...attributes })
  definitions.set(key, { withAttributes, boundaries })
  return key
}

export const histogram = (
  name: string,
  unit: string,
  boundaries: ReadonlyArray<number>,
  description: string
): Metric.Histogram<number> =>
  define(name, unit, (attributes) => Metric.histogram(name, { description, boundaries, attributes }), boundaries)

export const counter = (name: string, unit: string, description: string): Metric.Counter<number> =>
  define(name, unit, (attributes) => Metric.counter(name, { description, incremental: true, attributes }))

export const gauge = (name: string, unit: string, description: string): Metric.Gauge<number> =>
  define(name, unit, (attributes) => Metric.gauge(name, { description, attributes }))

/** The labels of a series as text formats show them. */
export const labelsOf = ({
  attributes,
  id
}: Pick<Metric.Metric.Snapshot, "attributes" | "id">): ReadonlyArray<readonly [name: string, value: string]> =>
  Object.entries(attributes ?? {}).filter(([name]) => name !== UNIT || !names.has(id))

/** Tells series apart. */
export const idOf = ({ id }: Key, labels: Labels): string =>
  [id, ...labels.map(([, value]) => String(value))].join("\n")

/** Names and values. */
export type Labels = ReadonlyArray<readonly [name: string, value: string | number]>

export interface Series {
  readonly update: (value: number) => void
}

/** The registry that is everybody's who brings no other. */
const process = Context.empty()

/**
 * A metric of its own for each series: one that several share by `Metric.withAttributes` makes the series' key anew, by
 * JSON, whenever another of them was updated before.
 */
const registered = (key: Key, labels: Labels): Series => {
  const attributes = Object.fromEntries(labels.map(([name, value]) => [name, String(value)]))
  const series = definitions.get(key)!.withAttributes(attributes)
  // Made now, so that it is in the registry before its first value.
  series.valueUnsafe(process)
  return { update: (value) => series.updateUnsafe(value, process) }
}

const kinds = { Counter: "counter", Gauge: "gauge", Histogram: "histogram" } as const

export const declared = (key: Key): Meter.Declared => ({
  name: key.id,
  kind: kinds[key.type as keyof typeof kinds],
  description: key.description ?? "",
  unit: key.attributes?.[UNIT] ?? "1",
  boundaries: definitions.get(key)?.boundaries
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
