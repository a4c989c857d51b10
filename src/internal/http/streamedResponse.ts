/**
 * A body as a stream that pulls from the wire, and cancels what is dropped unread. Event streams are read in batches: their
 * chunks are small, and each costs its reader as much as a few events. Over HTTP/2 the frames of one read of the socket come
 * one by one, with microtasks between them, so a batch is what has come by the end of the event loop's turn.
 */
import type { WireBody } from "./types.ts"
import { type BodyFilter, EventFilter } from "./bodyFilter.ts"
import { setImmediate } from "../util/timers.ts"

/** Bytes of a batch, after which no chunk is added: for our parser, and for SDKs, some of which copy the rest at each event. */
const MAX_PARSER_BATCH_BYTES = 64 * 1024
const MAX_SDK_BATCH_BYTES = 8 * 1024

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

/** Whole events of a stream, for a parser that has locked it and needs no promise of each chunk. */
export interface EventSource {
  /** Calls the sink once. One call at a time. */
  readonly pull: (sink: ChunkSink) => void
  readonly cancel: () => void
}

/** Apart from sources, which outlive their streams and must not lead to them. */
const eventSources = new WeakMap<ReadableStream, () => EventSource>()

/**
 * The events of a stream that nobody has read from: each chunk is whole events, which may be invalid JSON. `undefined` for a
 * body that is no event stream of ours.
 */
export const eventSourceOf = (body: ReadableStream): EventSource | undefined => eventSources.get(body)?.()

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

/** Reads a body for one sink. Must not lead to its stream. */
class BodyReader implements EventSource {
  readonly #body: WireBody
  readonly #filter: BodyFilter
  readonly #failure: (error: unknown) => unknown
  readonly #joinsChunks: boolean
  #maxBatchBytes = MAX_SDK_BATCH_BYTES
  #isClosed = false

  constructor(body: WireBody, filter: BodyFilter, failure: (error: unknown) => unknown) {
    this.#body = body
    this.#filter = filter
    this.#failure = failure
    this.#joinsChunks = filter instanceof EventFilter
  }

  /** Reads until there is something for the sink: a stream does not pull again before that. */
  readonly pull = (sink: ChunkSink): void => {
    const known = this.#joinsChunks ? this.#body.take?.() : undefined
    if (known !== undefined) return this.#giveJoined(sink, known)
    this.#body.read().then(
      (chunk) => {
        if (this.#joinsChunks && chunk !== undefined) setImmediate(this.#giveJoined, sink, chunk)
        else this.#give(sink, chunk)
      },
      (error: unknown) => this.#fail(sink, error)
    )
  }

  readonly cancel = (): void => {
    this.#close("cancelled")
    this.#body.cancel()
  }

  /** The same for a parser of ours. */
  forParser(filter: EventFilter): EventSource {
    filter.leaveToParser()
    this.#maxBatchBytes = MAX_PARSER_BATCH_BYTES
    return this
  }

  readonly #giveJoined = (sink: ChunkSink, chunk: Uint8Array): void => this.#give(sink, this.#joined(chunk))

  #give(sink: ChunkSink, chunk: Uint8Array | undefined): void {
    // The reader may have cancelled meanwhile.
    if (!this.#isClosed && !this.#take(sink, chunk)) this.pull(sink)
  }

  /** The chunk with those that have come since. */
  #joined(chunk: Uint8Array): Uint8Array {
    let next = this.#body.take?.()
    if (next === undefined) return chunk
    const chunks = [chunk]
    let size = chunk.length
    while (next !== undefined) {
      chunks.push(next)
      size += next.length
      next = size < this.#maxBatchBytes ? this.#body.take?.() : undefined
    }
    return Buffer.concat(chunks, size)
  }

  /** Returns true if the sink has got something: a chunk, the end or a failure. */
  #take(sink: ChunkSink, chunk: Uint8Array | undefined): boolean {
    const filter = this.#filter
    let given: Uint8Array | undefined
    try {
      given = chunk === undefined ? filter.end() : filter.chunk(chunk)
    } catch (error) {
      if (chunk !== undefined) this.#body.cancel()
      this.#fail(sink, error)
      return true
    }
    if (chunk === undefined) this.#close("ended")
    if (given !== undefined) sink.enqueue(given)
    if (chunk === undefined) sink.close()
    else if (filter.failure !== undefined) {
      // The reader is given the chunk all the same: it waits for it.
      this.#body.cancel()
      this.#fail(sink, filter.failure)
    }
    return given !== undefined || chunk === undefined
  }

  #fail(sink: ChunkSink, error: unknown): void {
    this.#close("failed")
    sink.error(this.#failure(error))
  }

  /** Once: a read may still fail after the reader has cancelled. */
  #close(reason: Parameters<BodyFilter["close"]>[0]): void {
    if (!this.#isClosed) this.#filter.close(reason)
    this.#isClosed = true
  }
}

// No byte stream: it would transfer each chunk's ArrayBuffer, which sockets share among chunks.
export const streamOf = (
  body: WireBody,
  filter: BodyFilter,
  failure: (error: unknown) => unknown
): ReadableStream<Uint8Array> => {
  const reader = new BodyReader(body, filter, failure)
  const { cancel, pull } = reader
  /** Resolves once the sink has got something: before that the stream must not pull again, for however many reads wait. */
  const given = (sink: ChunkSink): Promise<void> =>
    new Promise((resolve) =>
      pull({
        enqueue: (chunk) => {
          sink.enqueue(chunk)
          resolve()
        },
        close: () => {
          sink.close()
          resolve()
        },
        error: (reason) => {
          sink.error(reason)
          resolve()
        }
      })
    )
  // Nothing is read ahead: back-pressure reaches the wire.
  const stream = new ReadableStream<Uint8Array>({ pull: given, cancel }, { highWaterMark: 0 })
  if (filter instanceof EventFilter) eventSources.set(stream, () => reader.forParser(filter))
  const source: Source = { body, onAbandoned: undefined }
  body.onEnd(emptied(source))
  abandoned.register(stream, source)
  sources.set(stream, source)
  return stream
}
