/** Spans of requests that fibers make: by the fiber's tracer, with its annotations and links, below its span. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import { setList } from "./lists.ts"
import { guarded } from "../otel/guarded.ts"
import { isAborted, type RequestSpan, type Tracing } from "./requestSpan.ts"
import * as RedactSpan from "./redactSpan.ts"

type Fiber = RuntimeFiber<unknown, unknown>

/** Effect's own, whose spans go nowhere. */
const native = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** Runs `f` as the fiber would if this were its span, so that what is started there is below it. */
export const within = <A>(fiber: Fiber, span: Tracer.AnySpan, f: () => A): A =>
  fiber.currentTracer === native
    ? f()
    : fiber.currentTracer.context(f, Object.create(fiber, { currentSpan: { value: span } }) as Fiber)

const started = (fiber: Fiber, name: string, options: Tracer.SpanOptions): Tracer.Span => {
  const runtime = Runtime.make({
    context: fiber.currentContext as Context.Context<never>,
    runtimeFlags: Runtime.defaultRuntime.runtimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })
  return Runtime.runSync(runtime)(Effect.makeSpan(name, options))
}

const of = (fiber: Fiber, span: Tracer.Span): RequestSpan => {
  const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
  let endedAt: bigint | undefined
  return {
    isRecording: span.sampled,
    set: (name, value) =>
      guarded(() => (typeof value === "object" ? setList(span, name, value) : span.attribute(name, value))),
    event: (name, attributes) => guarded(() => span.event(name, clock.unsafeCurrentTimeNanos(), { ...attributes })),
    within: (f) => within(fiber, span, f),
    mark: () => (endedAt = clock.unsafeCurrentTimeNanos()),
    end: (error) =>
      guarded(() => {
        if (error !== undefined) span.attribute("error.type", error)
        span.end(endedAt ?? clock.unsafeCurrentTimeNanos(), exitOf(error))
      })
  }
}

const exitOf = (error: string | undefined): Exit.Exit<void, Error> => {
  if (error === undefined) return Exit.void
  return isAborted(error) ? Exit.interrupt(FiberId.none) : Exit.fail(RedactSpan.failure(error))
}

/** `parent` is the span below which requests are. `undefined` where the fiber's spans go nowhere. */
export const tracing = (fiber: Fiber, parent: Tracer.AnySpan | undefined): Tracing | undefined => {
  if (fiber.currentTracer === native) return undefined
  return (name, attributes) => {
    const options = { kind: "client" as const, captureStackTrace: false, attributes, ...(parent && { parent }) }
    try {
      return of(fiber, started(fiber, name, options))
    } catch {
      return undefined
    }
  }
}
