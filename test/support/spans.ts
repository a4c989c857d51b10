/** A tracer that remembers its spans. */
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import { type SpanStart, tracerOf } from "./tracer.ts"

export interface Seen extends SpanStart {
  readonly events: Array<string>
  exit: Exit.Exit<unknown, unknown> | undefined
}

export const recorder = (): { readonly spans: ReadonlyArray<Seen>; readonly tracer: Tracer.Tracer } => {
  const spans: Array<Seen> = []
  const tracer = tracerOf((start) => {
    const seen: Seen = { ...start, events: [], exit: undefined }
    spans.push(seen)
    return {
      attribute: () => undefined,
      event: (event) => void seen.events.push(event),
      end: (exit) => {
        seen.exit = exit
      }
    }
  })
  return { spans, tracer }
}
