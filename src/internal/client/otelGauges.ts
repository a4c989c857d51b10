/** Gauges of clients that are made without Effect: read whenever the app's `MeterProvider` collects, over all sets. */
import * as Effect from "effect/Effect"
import type { Service } from "../../ClientMap.ts"
import * as Pool from "./poolGauges.ts"
import * as Series from "../otel/series.ts"
import * as Meter from "../otel/meter.ts"
import { type Attributes, type Gauge, type Meter as OtelMeter, type Observed } from "../otel/registry.ts"

/** Weak references: a set that is neither closed nor referenced is collected. */
const services = new Set<WeakRef<Service>>()

interface Sum {
  readonly name: string
  readonly attributes: Attributes
  value: number
}

const sums = async (): Promise<Iterable<Sum>> => {
  const all = new Map<string, Sum>()
  for (const ref of services) {
    const service = ref.deref()
    if (service === undefined) {
      services.delete(ref)
      continue
    }
    Pool.visit(await Effect.runPromise(service.stats), (key, labels, by) => {
      const id = Series.idOf(key, labels)
      const sum = all.get(id)
      if (sum !== undefined) sum.value += by
      else all.set(id, { name: Series.declared(key).name, attributes: Object.fromEntries(labels), value: by })
    })
  }
  return all.values()
}

const observe = (meter: OtelMeter): void => {
  const gauges = new Map<string, Gauge>()
  for (const key of Pool.keys) {
    const declared = Series.declared(key)
    gauges.set(declared.name, meter.createObservableGauge(declared.name, Meter.optionsOf(declared)))
  }
  const read = async (result: Observed): Promise<void> => {
    for (const { attributes, name, value } of await sums()) result.observe(gauges.get(name)!, value, attributes)
  }
  meter.addBatchObservableCallback(read, [...gauges.values()])
}

let isFollowing = false

/** Adds a client map to the sums, until the result is called. */
export const watch = (service: Service): (() => void) => {
  const ref = new WeakRef(service)
  services.add(ref)
  if (!isFollowing) Meter.follow(observe)
  isFollowing = true
  return () => services.delete(ref)
}
