/** A span to be started as of a time that is past. */
import type { AnySpan, SpanKind } from "effect/Tracer"

export interface LateSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
  /** @default the span of the fiber */
  readonly parent?: AnySpan | undefined
}
