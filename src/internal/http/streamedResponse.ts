/** A body as a stream that pulls from the wire chunk by chunk, and cancels what is dropped unread. */
import type { WireBody } from "./types.ts"
import type { Ending } from "./sse/termination.ts"
import type { Measure } from "./measure.ts"
import { cleaned, type Tapping, untapped } from "./bodyObserver.ts"

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

const eventEnd = Buffer.from("\n\n")

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
  failure: (error: unknown) => unknown,
  measure: Measure | undefined,
  ending: Ending | undefined,
  tapping: Tapping,
  isEvents: boolean
): ReadableStream<Uint8Array> => {
  const { tap } = tapping
  const { clean, given: onGiven, listener } = isEvents ? tapping : untapped
  const cleaner = clean?.()
  let { onTapped } = tapping
  const over = () => {
    onTapped?.()
    // A read may still fail after the reader has cancelled.
    onTapped = undefined
  }
  const tell = () => {
    if (ending !== undefined) listener?.tail(ending.tail())
  }
  const fail = (controller: ChunkSink, error: unknown) => {
    over()
    listener?.over()
    controller.error(failure(error))
  }
  const end = (controller: ChunkSink) => {
    const why = ending?.failure(cleaned(tapping))
    if (why !== undefined) return fail(controller, why)
    over()
    tell()
    listener?.over()
    const rest = cleaner?.rest()
    if (rest !== undefined) {
      // Some readers take it for an event.
      onGiven?.({ text: Buffer.concat([rest, eventEnd]), isEvents: true })
      controller.enqueue(rest)
    }
    controller.close()
  }
  /** Returns true if the reader has got something: a chunk, the end or a failure. */
  const take = (controller: ChunkSink, chunk: Uint8Array | undefined): boolean => {
    if (chunk === undefined) {
      end(controller)
      return true
    }
    try {
      measure?.chunk(chunk)
    } catch (error) {
      body.cancel()
      fail(controller, error)
      return true
    }
    tap?.(chunk)
    ending?.add(chunk)
    listener?.chunk()
    const given = cleaner === undefined ? chunk : cleaner.chunk(chunk)
    if (given === undefined) return false
    onGiven?.({ text: given, isEvents: true })
    controller.enqueue(given)
    return true
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
    over()
    // A reader that has seen the last event need not wait for the end.
    if (listener !== undefined && ending?.hasCome() === true) tell()
    listener?.over()
    body.cancel()
  }
  // Nothing is read ahead: back-pressure reaches the wire.
  const stream = new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 })
  listener?.opened()
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
