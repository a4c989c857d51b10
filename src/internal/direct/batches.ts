/**
 * Values of a streamed answer, in batches of what one read of the socket brought. Over HTTP/2 frames of one read come one
 * by one, with microtasks between them; a batch ends with the turn of the event loop. Nothing is read ahead of that: a read
 * that is pending would hold its stream, and the connection of one that nobody reads any more would never be given back.
 */
import { setImmediate } from "../util/timers.ts"
import type { ErrorOrigin } from "../request/errors/fromSdk.ts"
import { EventParser, type ServerSentEvent } from "../http/sse/parser.ts"
import { type ChunkSink, type ChunkSource, chunksOf } from "../http/streamedResponse.ts"
import { parseJson, property } from "../util/json.ts"
import { type AnswerFormat, attemptsNow, filled, malformed, reported } from "./answer.ts"

/** More is not read until it is asked for. */
const MAX_BATCH_EVENTS = 256

interface Waiter {
  readonly resolve: (batch: ReadonlyArray<unknown> | undefined) => void
  readonly reject: (error: unknown) => void
}

/** End of a stream that has failed, or has not. */
interface End {
  readonly failure: unknown
}

/** Chunks of a body that is not our own stream: some runtime's, or a test's. */
const foreign = (reader: ReadableStreamDefaultReader<Uint8Array>): ChunkSource => ({
  pull: (sink) =>
    reader.read().then(
      ({ done, value }) => (done ? sink.close() : sink.enqueue(value)),
      (error: unknown) => sink.error(error)
    ),
  cancel: () => void reader.cancel().catch(() => undefined)
})

export class Batches implements ChunkSink {
  readonly place: ErrorOrigin
  readonly #format: AnswerFormat
  /** Held for as long as the batches are: a stream that nobody holds is cancelled. */
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #chunks: ChunkSource
  readonly #events = new EventParser()
  readonly #attempts = attemptsNow()
  #batch: Array<unknown> = []
  #end: End | undefined
  #waiter: Waiter | undefined
  #isReading = false
  #isFlushing = false
  #isGivenUp = false

  constructor(place: ErrorOrigin, format: AnswerFormat, response: Response) {
    this.place = place
    this.#format = format
    const body = response.body as ReadableStream<Uint8Array>
    this.#reader = body.getReader()
    this.#chunks = chunksOf(body) ?? foreign(this.#reader)
  }

  /** The next batch, `undefined` after the last. One call at a time. Rejects once what came before has been given. */
  next(): Promise<ReadonlyArray<unknown> | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      if (this.#batch.length > 0 || this.#end !== undefined) this.#flush()
      else this.#read()
    })
  }

  /** Gives up what is left: aborts the request, unless all of it has come. */
  cancel(): void {
    this.#end ??= { failure: undefined }
    this.#batch = []
    this.#giveUp()
  }

  enqueue(chunk: Uint8Array): void {
    this.#isReading = false
    if (this.#end !== undefined) return
    this.#add(this.#events.push(chunk))
    if (this.#batch.length > 0) this.#flushSoon()
    else if (this.#end !== undefined) this.#flush()
    else if (this.#waiter !== undefined && !this.#isFlushing) this.#read()
  }

  close(): void {
    this.#finish(undefined)
  }

  error(failure: unknown): void {
    this.#finish(failure)
  }

  #read(): void {
    if (this.#isReading) return
    this.#isReading = true
    void this.#chunks.pull(this)
  }

  #finish(failure: unknown): void {
    this.#isReading = false
    this.#end ??= { failure }
    if (this.#batch.length === 0) this.#flush()
    else this.#flushSoon()
  }

  /** Once: what came before the end may still be read. */
  #giveUp(): void {
    if (this.#isGivenUp) return
    this.#isGivenUp = true
    this.#chunks.cancel()
  }

  #add(events: ReadonlyArray<ServerSentEvent>): void {
    for (const event of events) {
      // Keep-alives of some proxies, which SDKs skip too.
      if (event.data === "") continue
      if (event.data.startsWith("[DONE]")) this.#end = { failure: undefined }
      else {
        const value = this.#valueOf(event)
        if (value instanceof Error) this.#end = { failure: value }
        else this.#batch.push(value)
      }
      if (this.#end === undefined) continue
      return this.#giveUp()
    }
  }

  #valueOf({ data, name }: ServerSentEvent): unknown {
    const value = parseJson(data)
    if (value === undefined) return malformed(this.place, "an event of the stream is invalid JSON", this.#attempts)
    const error = property(value, "error")
    if (error) return reported(this.place, error, this.#attempts)
    if (name === "error") return reported(this.place, value, this.#attempts)
    return this.#format.fillsFinishReason ? filled(value) : value
  }

  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(this.#flushed)
  }

  readonly #wantsMore = (): boolean => this.#end === undefined && this.#batch.length < MAX_BATCH_EVENTS

  readonly #flushed = (): void => {
    this.#chunks.drain?.(this, this.#wantsMore)
    this.#isFlushing = false
    this.#flush()
  }

  #flush(): void {
    const waiter = this.#waiter
    if (waiter === undefined) return
    const batch = this.#batch
    if (batch.length > 0) {
      this.#waiter = undefined
      this.#batch = []
      waiter.resolve(batch)
    } else if (this.#end !== undefined) {
      this.#waiter = undefined
      const { failure } = this.#end
      this.#end = { failure: undefined }
      if (failure === undefined) waiter.resolve(undefined)
      else waiter.reject(failure)
    }
  }
}
