/** A request as every layer below the `fetch` sees it: its body, and facts about it. */

/** A retry calls `open` again. */
export interface StreamedBody {
  /** Bytes in all, where known: it becomes Content-Length. */
  readonly length: number | undefined
  readonly open: () => AsyncIterable<Uint8Array>
  /** Returns true if a part of it was read that can't be read again. @default it can be sent any number of times */
  readonly isSpent?: (() => boolean) | undefined
}

export type RequestBody = undefined | string | Uint8Array | StreamedBody

/** Facts about a request, read from its body. */
export interface About {
  /** The model that it asks for, "" for none. */
  readonly model: string
  /** Returns true if it asks for a stream of events; `undefined` if its body can't be read. */
  readonly asksForEvents: () => boolean | undefined
}
