/** Spans of requests that fibers make: by the fiber's tracer, with its annotations and links, below its span. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
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
