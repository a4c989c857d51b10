/** A body as a stream that pulls from the wire chunk by chunk, and cancels what is dropped unread. */
import type { WireBody } from "./types.ts"
import type { BodyFilter } from "./bodyFilter.ts"

/**
 * The source of a stream, to be cancelled when the stream has been dropped; emptied once the body has ended. The error
 * that ended it may have been made under the stream's reader: its stack leads to the stream, which then would never be
 * collected.
 */
interface Source {
  body: WireBody | undefined
  onAbandoned: (() => void) | undefined
}

/** Receives a chunk, the end or a failure. A stream's controller is one. */
export interface ChunkSink {
  enqueue(chunk: Uint8Array): void
  close(): void
  error(reason: unknown): void
}

/** The chunks of a stream, for a reader that has locked it and needs no promise of each. */
export interface ChunkSource {
  /** Calls the sink once. One call at a time. */
  readonly pull: (sink: ChunkSink) => Promise<void> | void
  /** Gives the sink the chunks that have come already, for as long as it wants more. @default none */
  readonly drain?: (sink: ChunkSink, wantsMore: () => boolean) => void
  readonly cancel: () => void
}

/** Apart from sources, which outlive their streams and must not lead to them. */
const chunkSources = new WeakMap<ReadableStream, ChunkSource>()

/** `undefined` for a body that is no stream of ours. */
export const chunksOf = (body: ReadableStream): ChunkSource | undefined => chunkSources.get(body)

/** Cancels bodies that nobody can read any more: otherwise they would keep their sockets for ever. */
const abandoned = new FinalizationRegistry<Source>(({ body, onAbandoned }) => {
  onAbandoned?.()
  body?.cancel()
})

const sources = new WeakMap<ReadableStream, Source>()

const emptied = (source: Source) => () => {
  source.body = source.onAbandoned = undefined
}

/**
 * `f` is called if the body is a stream that is collected while it still holds something: neither read to the end, nor
 * cancelled or failed. It must not throw.
 */
export const watchAbandoned = ({ body }: Response, f: () => void): void => {
  const source = body === null ? undefined : sources.get(body)
  if (source?.body !== undefined) source.onAbandoned = f
}

// No byte stream: it would transfer each chunk's ArrayBuffer, which sockets share among chunks.
export const streamOf = (
  body: WireBody,
  filter: BodyFilter,
  failure: (error: unknown) => unknown
): ReadableStream<Uint8Array> => {
  let isClosed = false
  // A read may still fail after the reader has cancelled.
  const close = (reason: Parameters<BodyFilter["close"]>[0]) => {
    if (!isClosed) filter.close(reason)
    isClosed = true
  }
  const fail = (controller: ChunkSink, error: unknown) => {
    close("failed")
    controller.error(failure(error))
  }
  /** Returns true if the reader has got something: a chunk, the end or a failure. */
  const take = (controller: ChunkSink, chunk: Uint8Array | undefined): boolean => {
    let given: Uint8Array | undefined
    try {
      given = chunk === undefined ? filter.end() : filter.chunk(chunk)
    } catch (error) {
      if (chunk !== undefined) body.cancel()
      fail(controller, error)
      return true
    }
    if (chunk === undefined) close("ended")
    if (given !== undefined) controller.enqueue(given)
    if (chunk === undefined) controller.close()
    else if (filter.failure !== undefined) {
      // The reader is given the chunk all the same: it waits for it.
      body.cancel()
      fail(controller, filter.failure)
    }
    return given !== undefined || chunk === undefined
  }
  /** Reads until there is something for the reader: `pull` is not called again before that. */
  const more = async (controller: ChunkSink): Promise<void> => {
    try {
      while (!take(controller, await body.read()));
    } catch (error) {
      fail(controller, error)
    }
  }
  const pull = (controller: ChunkSink): Promise<void> =>
    body.read().then(
      (chunk) => (take(controller, chunk) ? undefined : more(controller)),
      (error: unknown) => fail(controller, error)
    )
  const cancel = () => {
    close("cancelled")
    body.cancel()
  }
  // Nothing is read ahead: back-pressure reaches the wire.
  const stream = new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 })
  const drain = (sink: ChunkSink, wantsMore: () => boolean): void => {
    while (wantsMore()) {
      const chunk = body.take?.()
      if (chunk === undefined) return
      take(sink, chunk)
    }
  }
  chunkSources.set(stream, { pull, drain, cancel })
  const source: Source = { body, onAbandoned: undefined }
  body.onEnd(emptied(source))
  abandoned.register(stream, source)
  sources.set(stream, source)
  return stream
}
