/** The SDK of OpenTelemetry, as an app sets it up, with exporters that remember what they were given. */
import { context, metrics, propagation, trace } from "@opentelemetry/api"
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"

export interface Metrics {
  readonly exporter: InMemoryMetricExporter
  readonly reader: PeriodicExportingMetricReader
}

/** Exports on command. */
export const metricReader = (): Metrics => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  return { exporter, reader: new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 }) }
}

/** The last export. */
export const exported = async ({ exporter, reader }: Metrics): Promise<ReadonlyArray<MetricData>> => {
  await reader.forceFlush()
  return (
    exporter
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? []
  )
}

/** Registers itself for the process, with undici's instrumentation, until it is closed. */
export const sdk = () => {
  const spans = new InMemorySpanExporter()
  const measured = metricReader()
  const tracers = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  tracers.register()
  const meters = new MeterProvider({ readers: [measured.reader] })
  metrics.setGlobalMeterProvider(meters)
  const undici = new UndiciInstrumentation()
  return {
    spans: (): ReadonlyArray<ReadableSpan> => spans.getFinishedSpans(),
    metrics: () => exported(measured),
    tracer: trace.getTracer("app"),
    close: async () => {
      undici.disable()
      await tracers.shutdown()
      await meters.shutdown()
      for (const api of [trace, metrics, context, propagation]) api.disable()
    }
  }
}

export type Sdk = ReturnType<typeof sdk>

export const parentOf = (spans: ReadonlyArray<ReadableSpan>, { parentSpanContext }: ReadableSpan): string | undefined =>
  spans.find((one) => one.spanContext().spanId === parentSpanContext?.spanId)?.name
