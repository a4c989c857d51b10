/** Observers of a body beside its reader. */
import type { LastRead } from "./answerJson.ts"
import type { Clean } from "./redactErrorBody.ts"

/**
 * Observes what is known of a body anyway. Methods must not throw, nor change or keep the bytes that they are given.
 */
export interface Listener {
  /** All of a body that was read whole, decoded. */
  readonly whole: (bytes: Uint8Array) => void
  /** A stream of events is to be read; `over` is called unless its reader forgets it. */
  readonly opened: () => void
  /** A chunk of a stream of events has come. */
  readonly chunk: () => void
  /** The last event of a stream has been read; what is kept of the end, one character a byte. */
  readonly tail: (text: string) => void
  /** The reader of a stream of events has come to the end, failed or cancelled. */
  readonly over: () => void
}

/** Observes a body while its reader reads it. Callbacks must not throw, nor change or keep the bytes given. */
export interface Tapping {
  /**
   * Sees every decoded chunk just before the reader does; none of a body whose coding is unknown. `dataLines` counts the
   * lines of data of an event stream up to the chunk's end, but for `[DONE]`; 0 for other bodies. @default none
   */
  readonly tap?: ((chunk: Uint8Array, dataLines: number) => void) | undefined
  /**
   * Called once when `tap` has seen all that it will: the reader came to the end (and is told so afterwards), failed or
   * cancelled. The wire's own end may come before that, since bodies are read ahead. Not called for an answer without a
   * body, for one that fails before there is a response, or for one that is dropped unread. @default none
   */
  readonly onTapped?: (() => void) | undefined
  /** Hears of the body after `tap` and `onTapped`. @default nobody */
  readonly listener?: Listener | undefined
  /** Makes what redacts the events of a stream. @default they pass as they came */
  readonly clean?: (() => Clean) | undefined
  /** Told what the reader is given that should be JSON, just before: an answer, or events of a stream. @default none */
  readonly given?: ((read: LastRead) => void) | undefined
  /** True if the reader of an event stream prints events that it can't parse: see `sse/jsonEvents.ts`. @default false */
  readonly prints?: boolean | undefined
}

/** For events outside the stream. */
export const cleaned = ({ clean }: Tapping): Clean => clean?.() ?? ((events) => events)

/** By nobody. */
export const untapped: Tapping = {}
