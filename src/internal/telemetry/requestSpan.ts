/** The span of one request, by whichever tracer. None of it throws: a tracer's failure is not the request's. */
type Value = string | number | Array<string>

export interface RequestSpan {
  /** False for one that was not sampled: its attributes are dropped. */
  readonly isRecording: boolean
  readonly set: (name: string, value: Value) => unknown
  readonly event: (name: string, attributes: Readonly<Record<string, string | number>>) => void
  /** Runs `f` where whatever looks for a parent finds this span. */
  readonly within: <A>(f: () => A) => A
  /** It ends as of now, whenever `end` is called. */
  readonly mark: () => unknown
  /** `error` is its `error.type`; failure messages are omitted. */
  readonly end: (error: string | undefined) => void
}

/** Starts a span of kind client. `undefined` without a tracer. */
export type Tracing = (name: string, attributes: Readonly<Record<string, Value>>) => RequestSpan | undefined

/** An `error.type` for which the caller is the cause: the span is no failure. */
export const isAborted = (error: string): boolean =>
  error === "Aborted" || error === "AbortError" || error === "interrupted"
