/** A tracer that remembers its spans. */
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export interface Seen {
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly id: string
  readonly parent: string | undefined
  readonly attributes: Map<string, unknown>
  readonly events: Array<string>
  exit: Exit.Exit<unknown, unknown> | undefined
}

export const recorder = (): { readonly spans: ReadonlyArray<Seen>; readonly tracer: Tracer.Tracer } => {
  const spans: Array<Seen> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const seen: Seen = {
        name,
        kind,
        id: String(spans.length),
        parent: Option.getOrUndefined(Option.map(parent, ({ spanId }) => spanId)),
        attributes: new Map(),
        events: [],
        exit: undefined
      }
      spans.push(seen)
      return {
        _tag: "Span",
        name,
        spanId: seen.id,
        traceId: "0",
        parent,
        context,
        status: { _tag: "Started", startTime },
        attributes: seen.attributes,
        links,
        sampled: true,
        kind,
        end: (_, exit) => {
          seen.exit = exit
        },
        attribute: (key, value) => void seen.attributes.set(key, value),
        event: (event) => void seen.events.push(event),
        addLinks: () => undefined
      }
    },
    context: (f) => f()
  })
  return { spans, tracer }
}
