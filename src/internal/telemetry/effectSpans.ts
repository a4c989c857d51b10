/** Spans of requests that fibers make: by the fiber's tracer, with its annotations and links, below its span. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import type { LateSpan } from "./lateSpan.ts"
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

const runSync = <A>(fiber: Fiber, effect: Effect.Effect<A>): A => {
  const runtime = Runtime.make({
    context: fiber.currentContext as Context.Context<never>,
    runtimeFlags: Runtime.defaultRuntime.runtimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })
  return Runtime.runSync(runtime)(effect)
}

const clockOf = (fiber: Fiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)

/** Nanoseconds for a span of the fiber that starts or ends now. */
export const now = (fiber: Fiber): bigint =>
  fiber.getFiberRef(FiberRef.currentTracerTimingEnabled) ? clockOf(fiber).unsafeCurrentTimeNanos() : 0n

/**
 * Starts a span as of a time that is past, as the fiber would have then: a call that waits in line holds no span. To be
 * ended with `end`.
 */
export const startAt = (fiber: Fiber, time: bigint, { attributes, kind, name, parent }: LateSpan): Tracer.Span => {
  if (fiber.currentTracer === native) {
    const span = native.span(name, Option.fromNullable(parent ?? fiber.currentSpan), Context.empty(), [], time, kind)
    for (const key in attributes) span.attribute(key, attributes[key])
    return span
  }
  const clock: Clock.Clock = Object.create(clockOf(fiber), { unsafeCurrentTimeNanos: { value: () => time } })
  const options = { kind, captureStackTrace: false, attributes, ...(parent && { parent }) }
  return runSync(fiber, Effect.withClock(Effect.makeSpan(name, options), clock))
}

/** Ends a span of `startAt` now. */
export const end = (fiber: Fiber, span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
  if (span.status._tag === "Started") span.end(now(fiber), exit)
}

const of = (fiber: Fiber, span: Tracer.Span): RequestSpan => {
  const clock = clockOf(fiber)
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
      return of(fiber, runSync(fiber, Effect.makeSpan(name, options)))
    } catch {
      return undefined
    }
  }
}
