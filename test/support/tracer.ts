import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

/** A span without services. */
export const spanServices = { context: Context.empty() }

export interface SpanStart {
  readonly name: string
  readonly kind: Tracer.SpanKind
  /** Nanoseconds. */
  readonly startTime: bigint
  readonly id: string
  readonly parent: string | undefined
  readonly attributes: Map<string, unknown>
}

export interface SpanListener {
  readonly attribute: (key: string, value: unknown) => void
  readonly event: (name: string, attributes: unknown) => void
  readonly end: (exit: Exit.Exit<unknown, unknown>) => void
}

/** A tracer whose spans are told to `listen`. */
export const tracerOf = (listen: (start: SpanStart) => SpanListener): Tracer.Tracer => {
  let count = 0
  return Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const id = String(count++)
      const attributes = new Map<string, unknown>()
      const parentId = Option.getOrUndefined(Option.map(parent, ({ spanId }) => spanId))
      const listener = listen({ name, kind, startTime, id, parent: parentId, attributes })
      return {
        _tag: "Span",
        name,
        spanId: id,
        traceId: "0",
        parent,
        context,
        status: { _tag: "Started", startTime },
        attributes,
        links,
        sampled: true,
        kind,
        end: (_, exit) => listener.end(exit),
        attribute: (key, value) => {
          attributes.set(key, value)
          listener.attribute(key, value)
        },
        event: (event, _, of) => listener.event(event, of),
        addLinks: () => undefined
      }
    },
    context: (f) => f()
  })
}
