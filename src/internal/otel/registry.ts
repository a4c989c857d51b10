/**
 * OpenTelemetry's API as the app has registered it, if it has. Copies of `@opentelemetry/api` 1.x share one registry, under
 * a symbol that is versioned for that purpose; so neither an import nor a bundler has a part in it.
 */

type AttributeValue = string | number | boolean | Array<string>
export type Attributes = Readonly<Record<string, AttributeValue>>

export interface Span {
  readonly setAttribute: (name: string, value: AttributeValue) => unknown
  readonly addEvent: (name: string, attributes: Attributes) => unknown
  readonly setStatus: (status: { readonly code: number }) => unknown
  readonly isRecording: () => boolean
  /** A number is of `performance.now()`. */
  readonly end: (time?: number) => void
}

export interface OtelContext {
  readonly getValue: (key: symbol) => unknown
  readonly deleteValue: (key: symbol) => OtelContext
  readonly setValue: (key: symbol, value: unknown) => OtelContext
}

interface ContextManager {
  readonly active: () => OtelContext
  readonly with: <A>(context: OtelContext, f: () => A) => A
}

export interface Tracer {
  readonly startSpan: (name: string, options: object, context?: OtelContext) => Span
}

export interface TracerProvider {
  readonly getTracer: (name: string) => Tracer
}

interface Instrument {
  /** Records to a histogram. */
  readonly record?: (value: number, attributes: Attributes) => void
  /** Adds to a counter. */
  readonly add?: (value: number, attributes: Attributes) => void
}

export interface InstrumentOptions {
  readonly unit: string
  readonly description: string
  readonly advice?: { readonly explicitBucketBoundaries: Array<number> }
}

/** Observed where it is collected; by callbacks of several, not by its own. */
export interface Gauge {
  readonly addCallback: (f: never) => void
  readonly removeCallback: (f: never) => void
}

export interface Observed {
  readonly observe: (gauge: Gauge, value: number, attributes: Attributes) => void
}

export interface Meter {
  readonly createHistogram: (name: string, options: InstrumentOptions) => Instrument
  readonly createCounter: (name: string, options: InstrumentOptions) => Instrument
  readonly createObservableGauge: (name: string, options: InstrumentOptions) => Gauge
  /** `f` is called at each collection. */
  readonly addBatchObservableCallback: (f: (result: Observed) => Promise<void>, gauges: Array<Gauge>) => void
}

export interface MeterProvider {
  readonly getMeter: (name: string) => Meter
}

interface Registry {
  readonly trace?: TracerProvider
  readonly metrics?: MeterProvider
  readonly context?: ContextManager
}

const KEY = Symbol.for("opentelemetry.js.api.1")

/** Looked up each time: an SDK may be started after the first client was made. */
export const registry = (): Registry | undefined => (globalThis as { readonly [KEY]?: Registry })[KEY]

/** Names the instrumentation scope of all spans and metrics. */
export const SCOPE = "clientele"
