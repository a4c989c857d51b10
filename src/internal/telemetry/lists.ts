/** Attributes that are lists, which @effect/opentelemetry 0.64 would make a string of JSON of. */
import type { Span } from "effect/Tracer"
import type * as Otel from "../otel/registry.ts"

/** Marks the spans of that package; they have OpenTelemetry's own at `span`. */
const OTEL = Symbol.for("@effect/opentelemetry/Tracer/OtelSpan")

export const setList = (span: Span, name: string, values: Array<string>): void => {
  span.attribute(name, values)
  if (OTEL in span) (span as unknown as { readonly span: Otel.Span }).span.setAttribute(name, values)
}
