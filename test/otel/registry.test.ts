/** OpenTelemetry's API as it is read, against the API itself. */
import { type Context, context, metrics, type Span, trace, type Tracer } from "@opentelemetry/api"
import { assert, expectTypeOf, it } from "vitest"
import type * as Registry from "../../src/internal/otel/registry.ts"
import { registry } from "../../src/internal/otel/registry.ts"
import { sdk } from "../support/otel.ts"

it("the API's types are those that are read of its registry", () => {
  expectTypeOf<Tracer>().toExtend<Registry.Tracer>()
  expectTypeOf<Span>().toExtend<Registry.Span>()
  expectTypeOf<Context>().toExtend<Registry.OtelContext>()
  const meter: Registry.Meter = metrics.getMeter("test")
  expectTypeOf(meter).not.toBeAny()
})

it("the registry has what the API was given, and a span under the API's key is the active one", async () => {
  assert.isUndefined(registry()?.trace)
  const app = sdk()
  const known = registry()!
  assert.strictEqual<unknown>(known.metrics, metrics.getMeterProvider())
  assert.strictEqual<unknown>(known.trace, trace.getTracerProvider())
  const span = trace.getTracer("test").startSpan("parent")
  const within = known.context!.active().setValue(Symbol.for("OpenTelemetry Context Key SPAN"), span)
  known.context!.with(within, () => assert.strictEqual(trace.getSpan(context.active()), span))
  await app.close()
})
