/** Spans of requests that are made without Effect: by the app's `TracerProvider`, below the span that is active. */
import { guarded } from "../otel/guarded.ts"
import { isAborted, type Tracing } from "./requestSpan.ts"
import { registry, SCOPE, type Span, type Tracer, type TracerProvider } from "../otel/registry.ts"
import { performance } from "../util/timers.ts"

/** `SpanKind.CLIENT` and `SpanStatusCode.ERROR` of the API. */
const CLIENT = 2
const ERROR = 2

/** The API's key of the active span in a context. */
const ACTIVE = Symbol.for("OpenTelemetry Context Key SPAN")

let provider: TracerProvider | undefined
let tracer: Tracer | undefined

const tracerOf = (now: TracerProvider): Tracer => {
  if (tracer === undefined || now !== provider) {
    provider = now
    tracer = now.getTracer(SCOPE)
  }
  return tracer
}

export const start: Tracing = (name, attributes) => {
  const known = registry()
  if (known?.trace === undefined) return undefined
  const { context: contexts, trace } = known
  const active = contexts?.active()
  let span: Span
  let isRecording: boolean
  try {
    span = tracerOf(trace).startSpan(name, { kind: CLIENT, attributes }, active)
    isRecording = span.isRecording()
  } catch {
    return undefined
  }
  let endedAt: number | undefined
  return {
    isRecording,
    set: (attribute, value) => guarded(() => span.setAttribute(attribute, value)),
    event: (event, more) => guarded(() => span.addEvent(event, more)),
    within: (f) =>
      contexts === undefined || active === undefined ? f() : contexts.with(active.setValue(ACTIVE, span), f),
    mark: () => (endedAt = performance.now()),
    end: (error) =>
      guarded(() => {
        if (error !== undefined) span.setAttribute("error.type", error)
        if (error !== undefined && !isAborted(error)) span.setStatus({ code: ERROR })
        span.end(endedAt)
      })
  }
}
