/** Instruments of the app's `MeterProvider`, made when something is first recorded. */
import { guarded } from "./guarded.ts"
import { type Attributes, type InstrumentOptions, type Meter, type MeterProvider, registry, SCOPE } from "./registry.ts"

type Record = (value: number, attributes: Attributes) => void

/** A metric as it is declared to effect, with the unit that OpenTelemetry has for it. */
export interface Declared {
  readonly name: string
  readonly kind: "counter" | "gauge" | "histogram"
  readonly description: string
  readonly unit: string
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries: ReadonlyArray<number> | undefined
}

let provider: MeterProvider | undefined
let meter: Meter | undefined
const instruments = new Map<string, Record>()
const followers: Array<(meter: Meter) => void> = []

/** Calls `f` with the meter of each provider that comes to be registered. */
export const follow = (f: (meter: Meter) => void): void => {
  followers.push(f)
  const now = current()
  if (now !== undefined) f(now)
}

/** The meter of the provider that is registered now. */
const current = (): Meter | undefined => {
  const now = registry()?.metrics
  if (now !== provider) {
    provider = now
    meter = now?.getMeter(SCOPE)
    instruments.clear()
    for (const f of meter === undefined ? [] : followers) guarded(() => f(meter!))
  }
  return meter
}

export const optionsOf = ({ boundaries, description, unit }: Declared): InstrumentOptions => ({
  unit,
  description,
  ...(boundaries && { advice: { explicitBucketBoundaries: boundaries.filter(Number.isFinite) } })
})

const instrumentOf = (meter: Meter, declared: Declared): Record => {
  const { kind, name } = declared
  let record = instruments.get(name)
  if (record === undefined) {
    const options = optionsOf(declared)
    const made = kind === "histogram" ? meter.createHistogram(name, options) : meter.createCounter(name, options)
    record = (value, attributes) => {
      made.record?.(value, attributes)
      made.add?.(value, attributes)
    }
    instruments.set(name, record)
  }
  return record
}

/** Records nothing where no provider is registered. A provider's failure is not the request's. */
export const record = (declared: Declared, value: number, attributes: Attributes): void => {
  const of = current()
  if (of === undefined) return
  guarded(() => instrumentOf(of, declared)(value, attributes))
}
