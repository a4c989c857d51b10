/** Tools whose spans, which @effect/ai makes, omit their parameters, unless content is enabled. */
import type * as Tool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import type { Tracer } from "effect/Tracer"
import { Content } from "../telemetry/content.ts"
import * as Untold from "../telemetry/redactSpan.ts"

/** Names in @effect/ai: of a tool's span, and of the span's attribute with the parameters. */
const HANDLE = "Toolkit.handle"
const PARAMETERS = "parameters"

const made = new WeakMap<Tracer, Tracer>()

const quiet = (tracer: Tracer): Tracer => {
  let one = made.get(tracer)
  if (one === undefined) {
    const span: Tracer["span"] = (name, ...rest) => {
      const made = tracer.span(name, ...rest)
      if (name !== HANDLE) return made
      const attribute = made.attribute.bind(made)
      made.attribute = (key, value) => {
        if (key !== PARAMETERS) attribute(key, value)
      }
      Untold.all(made)
      return made
    }
    one = Object.create(tracer, { span: { value: span } }) as Tracer
    made.set(tracer, one)
  }
  return one
}

const quietly = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Content, (isWanted) =>
    isWanted ? self : Effect.tracerWith((tracer) => Effect.withTracer(self, quiet(tracer)))
  )

type Handled = Toolkit.WithHandler<Record<string, Tool.Any>>

const one = ({ handle, tools }: Handled): Handled => ({
  tools,
  handle: (name, params) => quietly(handle(name, params))
})

/** The same tools. */
export const untold = <T extends Handled | Effect.Effect<Handled, unknown, unknown>>(toolkit: T): T =>
  (Effect.isEffect(toolkit) ? Effect.map(toolkit, one) : one(toolkit)) as T
