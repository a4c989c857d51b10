/** Values of a streamed answer, in batches of what one read of the socket brought. Nothing is read before it is asked for. */
import { EventParser, eventsIn, type ServerSentEvent } from "../http/sse/parser.ts"
import { type ChunkSink, type EventSource, eventSourceOf } from "../http/streamedResponse.ts"
import { parseJson } from "../util/json.ts"
import { malformed, type ReadCall, reported } from "./answer.ts"
import type { EventFormat } from "./events.ts"

type Batch = ReadonlyArray<unknown>

/** Receives one batch, `undefined` after the last, or the failure. */
export interface Waiter {
  readonly resolve: (batch: Batch | undefined) => void
  readonly reject: (error: unknown) => void
}

/** End of a stream that has failed, or has not. */
interface End {
  readonly failure: unknown
}

/** Chunks of a body that is not our own stream: some runtime's, or a test's. */
const foreign = (reader: ReadableStreamDefaultReader<Uint8Array>): EventSource => ({
  pull: (sink) =>
    void reader.read().then(
      ({ done, value }) => (done ? sink.close() : sink.enqueue(value)),
      (error: unknown) => sink.error(error)
    ),
  cancel: () => void reader.cancel().catch(() => undefined)
})

const whole = ({ buffer, byteLength, byteOffset }: Uint8Array): ReadonlyArray<ServerSentEvent> =>
  eventsIn(Buffer.from(buffer, byteOffset, byteLength).toString())

export class Batches implements ChunkSink {
  readonly call: ReadCall
  readonly #format: EventFormat
  /** Held for as long as the batches are: a stream that nobody holds is cancelled. */
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #source: EventSource
  readonly #parse: (chunk: Uint8Array) => ReadonlyArray<ServerSentEvent>
  #end: End | undefined
  #waiter: Waiter | undefined
  #isGivenUp = false

  constructor(call: ReadCall, format: EventFormat, response: Response) {
    this.call = call
    this.#format = format
    const body = response.body as ReadableStream<Uint8Array>
    this.#reader = body.getReader()
    const source = eventSourceOf(body)
    this.#source = source ?? foreign(this.#reader)
    if (source !== undefined) this.#parse = whole
    else {
      const parser = new EventParser()
      this.#parse = (chunk) => parser.push(chunk)
    }
  }

  /** Asks for the next batch. One call at a time. A failure comes once what came before it has been given. */
  pull(waiter: Waiter): void {
    this.#waiter = waiter
    if (this.#end === undefined) this.#source.pull(this)
    else this.#settle()
  }

  /** The same as a promise. */
  next(): Promise<Batch | undefined> {
    return new Promise((resolve, reject) => this.pull({ resolve, reject }))
  }

  /** Gives up what is left: aborts the request, unless all of it has come. */
  cancel(): void {
    this.#end = { failure: undefined }
    this.#giveUp()
    this.#settle()
  }

  enqueue(chunk: Uint8Array): void {
    if (this.#end !== undefined) return
    const batch = this.#read(this.#parse(chunk))
    const waiter = this.#waiter
    if (batch.length === 0) {
      if (this.#end === undefined) this.#source.pull(this)
      else this.#settle()
    } else {
      this.#waiter = undefined
      waiter?.resolve(batch)
    }
  }

  close(): void {
    this.error(undefined)
  }

  error(failure: unknown): void {
    this.#end ??= { failure }
    this.#settle()
  }

  /** Once: what came before the end may still be given. */
  #giveUp(): void {
    if (this.#isGivenUp) return
    this.#isGivenUp = true
    this.#source.cancel()
  }

  /** Values of the events up to the end of the stream, if that is among them. */
  #read(events: ReadonlyArray<ServerSentEvent>): Batch {
    const batch: Array<unknown> = []
    for (const { data, name } of events) {
      // Keep-alives of some proxies, which SDKs skip too.
      if (data === "") continue
      if (data.startsWith("[DONE]")) this.#end = { failure: undefined }
      else {
        const value = parseJson(data)
        const failure = this.#failureOf(value, name)
        if (failure === undefined) {
          this.#format.complete?.(value)
          batch.push(value)
        } else this.#end = { failure }
      }
      if (this.#end === undefined) continue
      this.#giveUp()
      break
    }
    return batch
  }

  #failureOf(value: unknown, name: string): Error | undefined {
    if (value === undefined) return malformed(this.call, "an event of the stream is invalid JSON")
    const failure = this.#format.failureIn(value, name)
    return failure === undefined ? undefined : reported(this.call, failure)
  }

  #settle(): void {
    const waiter = this.#waiter
    if (waiter === undefined || this.#end === undefined) return
    const { failure } = this.#end
    this.#waiter = undefined
    this.#end = { failure: undefined }
    if (failure === undefined) waiter.resolve(undefined)
    else waiter.reject(failure)
  }
}
