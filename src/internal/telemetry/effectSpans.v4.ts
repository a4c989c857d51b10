/** Spans of requests that fibers make: by the fiber's tracer, with its annotations and links, below its span. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { LateSpan } from "./lateSpan.ts"
import { setList } from "./lists.ts"
import { guarded } from "../otel/guarded.ts"
import { isAborted, type RequestSpan, type Tracing } from "./requestSpan.ts"
import * as RedactSpan from "./redactSpan.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** Runs `f` as the fiber would if this were its span, so that what is started there is below it. */
export const within = <A>(fiber: AnyFiber, span: Tracer.AnySpan, f: () => A): A => {
  const context = fiber.cache.tracer?.context
  if (context === undefined) return f()
  const cache = { value: { ...fiber.cache, span } }
  return context({ "~effect/Effect/evaluate": f }, Object.create(fiber, { cache }) as AnyFiber)
}

/** Nanoseconds for a span of the fiber that starts or ends now. */
export const now = (fiber: AnyFiber): bigint =>
  fiber.getRef(References.TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : 0n

/**
 * Starts a span as of a time that is past, as the fiber would have then: a call that waits in line holds no span. To be
 * ended with `end`.
 */
export const startAt = (fiber: AnyFiber, time: bigint, { attributes, kind, name, parent }: LateSpan): Tracer.Span => {
  if (fiber.cache.tracer === undefined) {
    const around = Option.fromNullishOr(parent ?? fiber.cache.span)
    const options = { name, parent: around, annotations: Context.empty(), links: [], startTime: time, kind }
    const span = Tracer.nativeTracer.span({ ...options, root: false, sampled: true })
    for (const key in attributes) span.attribute(key, attributes[key])
    return span
  }
  const clock: Clock.Clock = Object.create(fiber.getRef(Clock.Clock), { currentTimeNanosUnsafe: { value: () => time } })
  const options = { kind, captureStackTrace: false, attributes, ...(parent && { parent }) }
  return Effect.runSyncWith(Context.add(fiber.context, Clock.Clock, clock))(Effect.makeSpan(name, options))
}

/** Ends a span of `startAt` now. */
export const end = (fiber: AnyFiber, span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
  if (span.status._tag === "Started") span.end(now(fiber), exit)
}

const wrapped = (fiber: AnyFiber, span: Tracer.Span): RequestSpan => {
  const clock = fiber.getRef(Clock.Clock)
  let endedAt: bigint | undefined
  return {
    isRecording: span.sampled,
    set: (name, value) =>
      guarded(() => (typeof value === "object" ? setList(span, name, value) : span.attribute(name, value))),
    event: (name, attributes) => guarded(() => span.event(name, clock.currentTimeNanosUnsafe(), { ...attributes })),
    within: (f) => within(fiber, span, f),
    mark: () => (endedAt = clock.currentTimeNanosUnsafe()),
    end: (error) =>
      guarded(() => {
        if (error !== undefined) span.attribute("error.type", error)
        span.end(endedAt ?? clock.currentTimeNanosUnsafe(), exitOf(error))
      })
  }
}

const exitOf = (error: string | undefined): Exit.Exit<void, Error> => {
  if (error === undefined) return Exit.void
  return isAborted(error) ? Exit.interrupt() : Exit.fail(RedactSpan.failure(error))
}

/** `parent` is the span below which requests are. `undefined` where the fiber's spans go nowhere. */
export const tracing = (fiber: AnyFiber, parent: Tracer.AnySpan | undefined): Tracing | undefined => {
  // Absent where it is effect's own, whose spans go nowhere.
  if (fiber.cache.tracer === undefined) return undefined
  const services: Context.Context<never> = fiber.context
  return (name, attributes) => {
    const options = { kind: "client" as const, captureStackTrace: false, attributes, ...(parent && { parent }) }
    try {
      return wrapped(fiber, Effect.runSyncWith(services)(Effect.makeSpan(name, options)))
    } catch {
      return undefined
    }
  }
}
