/**
 * A genuine `Response` over what came off the wire. Small bodies are read whole first and kept as bytes, since it is
 * streams that make WHATWG fetch slow; all else is a stream that pulls from the wire chunk by chunk.
 */
import { STATUS_CODES } from "node:http"

import type { BodyLimits } from "../limits.ts"
import { type About, WireError, type WireBody, type WireResponse } from "../wire.ts"
import * as Answers from "./answers.ts"
import { type Ending, endingOf } from "./endings.ts"
import { asFarAsItCame, collect, discard, gather, unread, wholeBytes } from "./gather.ts"
import { codingsOf, inflate, inflateWhole, type Coding, undecodable } from "./inflate.ts"
import { EventMeasure, type Measure, tooLong, WholeMeasure } from "./measure.ts"
import { jsonEvents } from "./jsonEvents.ts"
import { WholeResponse, named } from "./whole.ts"

/** Who is told of a body what is known of it anyway. None may throw, nor change or keep the bytes that it is given. */
export interface Listener {
  /** All of a body that was read whole, decoded. */
  readonly whole: (bytes: Uint8Array) => void
  /** A chunk of a stream of events has come. */
  readonly chunk: () => void
  /** The last event of a stream has been read; what is kept of the end, one character a byte. */
  readonly tail: (text: string) => void
}

/** Who listens in on a body while its reader reads it. None may throw, nor change or keep the bytes that it is given. */
export interface Tapping {
  /** Sees every decoded chunk just before the reader does; none of a body whose coding is unknown. @default none */
  readonly tap?: ((chunk: Uint8Array) => void) | undefined
  /**
   * Called once when `tap` has seen all that it will: the reader came to the end (and is told so afterwards), failed or
   * cancelled. The wire's own end may come before that, since bodies are read ahead. Not called for an answer without a
   * body, for one that fails before there is a response, or for one that is dropped unread. @default none
   */
  readonly onTapped?: (() => void) | undefined
  /** Hears of the body after `tap` and `onTapped`. @default nobody */
  readonly listener?: Listener | undefined
  /** Makes what gives the chunks of an event stream as their reader is to have them. @default as they came */
  readonly clean?: (() => Cleaner) | undefined
  /** Whether the reader of an event stream prints events that it can't parse: see `jsonEvents.ts`. @default false */
  readonly prints?: boolean | undefined
}

/** Neither method may throw. */
interface Cleaner {
  /** What is to be given on now that this chunk has come; it may hold some back for later. */
  readonly chunk: (bytes: Uint8Array) => Uint8Array | undefined
  /** What it has held back, at the end of the stream. */
  readonly rest: () => Uint8Array | undefined
}

export interface ResponseContext extends Tapping {
  readonly url: string
  readonly method: string
  /** Before any redirect. */
  readonly asked: Answers.Asked
  /** Of the request that is answered. @default nothing is known */
  readonly about?: About | undefined
  readonly redirected: boolean
  readonly limits: BodyLimits
  /** What the reader of the body gets to see of a failure. */
  readonly failure: (error: unknown) => unknown
}

/**
 * What a stream was made of, for when it has been dropped; nothing once the body has ended. What ended it may be an error
 * that was made under the stream's reader, and its stack leads to the stream, which then would never be collected.
 */
interface Source {
  body: WireBody | undefined
  onAbandoned: (() => void) | undefined
}

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

const untapped: Tapping = {}

// No byte stream: it would transfer each chunk's ArrayBuffer, which sockets share among chunks.
const streamOf = (
  body: WireBody,
  failure: ResponseContext["failure"],
  measure: Measure | undefined,
  ending: Ending | undefined,
  tapping: Tapping,
  isEvents: boolean
): ReadableStream<Uint8Array> => {
  const { tap } = tapping
  const { clean, listener } = isEvents ? tapping : untapped
  const cleaner = clean?.()
  let { onTapped } = tapping
  const over = () => {
    onTapped?.()
    // A read may still fail after the reader has cancelled.
    onTapped = undefined
  }
  const tell = () => {
    if (listener !== undefined && ending?.hasCome() === true) listener.tail(ending.tail())
  }
  const fail = (controller: ReadableStreamDefaultController, error: unknown) => {
    over()
    controller.error(failure(error))
  }
  const end = (controller: ReadableStreamDefaultController) => {
    if (ending?.hasCome() === false)
      return fail(
        controller,
        ending.failure((event) => clean?.().chunk(event) ?? event)
      )
    over()
    tell()
    const rest = cleaner?.rest()
    if (rest !== undefined) controller.enqueue(rest)
    controller.close()
  }
  /** Whether that gives the reader anything. */
  const take = (controller: ReadableStreamDefaultController, chunk: Uint8Array | undefined): boolean => {
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
    if (given !== undefined) controller.enqueue(given)
    return given !== undefined
  }
  /** Whoever pulls is not asked again before there is something for the reader. */
  const more = async (controller: ReadableStreamDefaultController): Promise<void> => {
    try {
      while (!take(controller, await body.read()));
    } catch (error) {
      fail(controller, error)
    }
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        body.read().then(
          (chunk) => (take(controller, chunk) ? undefined : more(controller)),
          (error: unknown) => fail(controller, error)
        ),
      cancel: () => {
        over()
        // Who has seen the last event need not wait for the end.
        tell()
        body.cancel()
      }
    },
    // Nothing is read ahead: back-pressure reaches the wire.
    { highWaterMark: 0 }
  )
  const source: Source = { body, onAbandoned: undefined }
  body.onEnd(emptied(source))
  abandoned.register(stream, source)
  sources.set(stream, source)
  return stream
}

const bodiless = (status: number, method: string) =>
  method === "HEAD" || status === 204 || status === 205 || status === 304

/** What describes the bytes on the wire, once they are decoded. */
const ofTheWire = (name: string) => name === "content-encoding" || name === "content-length"

const build = (
  wire: WireResponse,
  context: ResponseContext,
  body: Uint8Array | ReadableStream<Uint8Array> | null,
  decoded: boolean
): Response => {
  const { status } = wire
  const { redirected, url } = context
  const statusText = STATUS_CODES[status] ?? ""
  const response =
    body instanceof Uint8Array
      ? new WholeResponse(body, { status, statusText, url, redirected })
      : named(new Response(body, { status, statusText }), url, redirected)
  // Appending costs half of what an init object does.
  const { headers } = response
  for (const [name, value] of wire.headers) {
    if (!decoded || !ofTheWire(name)) headers.append(name, value)
  }
  return response
}

/** For how long, in ms, a body that is most likely no answer may keep fetch from resolving. */
const doubt = 2_000

const none: ReadonlyArray<Coding> = []

const mustBeJson = (status: number, { asked }: ResponseContext) => status < 300 && Answers.isJsonOnly(asked)

/** What a caller downloads is no answer but a file: as long as it is, and read piece by piece. */
const isDownload = ({ asked: { method, url } }: ResponseContext) =>
  method === "GET" && /^[^?]*\/content(\?|$)/.test(url)

/** How a body is to be read. */
interface Reading {
  readonly codings: ReadonlyArray<Coding>
  readonly tapping: Tapping
  readonly isEvents: boolean
  /** Whether it can be nothing but JSON. */
  readonly isAnswer: boolean
  /** The same of one that does not say that it is. */
  readonly isDoubtful: boolean
  /** Whether events were asked for, and it does not say that it is any: SDKs would end their streams as if all were well. */
  readonly isMissing: boolean
  /** Bytes that it may have. */
  readonly most: number
}

const measureOf = ({ isEvents, most }: Reading, { limits }: ResponseContext): Measure | undefined =>
  isEvents ? new EventMeasure(limits.maxLineBytes) : most === Infinity ? undefined : new WholeMeasure(most)

const assemble = (
  wire: WireResponse,
  context: ResponseContext,
  got: Uint8Array | WireBody,
  reading: Reading
): Response => {
  const { codings, isAnswer, isDoubtful, isEvents, isMissing, most, tapping } = reading
  const decoded = codings.length > 0
  const isError = wire.status >= 400
  const said = isDoubtful ? Answers.asJson(wire) : wire
  const clean = (event: Uint8Array) => tapping.clean?.().chunk(event) ?? event
  if (got instanceof Uint8Array && isError && decoded) got = unread(wire.body, [got], undefined)
  if (got instanceof Uint8Array) {
    const whole = decoded ? inflateWhole(got, codings) : got
    if (whole !== undefined) {
      if (whole.byteLength > most) throw tooLong(most)
      if (isAnswer && !Answers.looksLikeJson(whole)) throw Answers.notJson(wire, whole.byteLength === 0)
      const event = isMissing ? Answers.failureAsEvent(whole) : undefined
      if (isMissing && event === undefined) throw Answers.noEvents(wire)
      const failure = isAnswer && !isMissing ? Answers.failureIn(whole, clean) : undefined
      if (failure !== undefined) throw failure
      tapping.tap?.(whole)
      tapping.onTapped?.()
      tapping.listener?.whole(whole)
      if (event === undefined) return build(said, context, whole, decoded)
      return build(Answers.asEvents(wire), context, clean(event), false)
    }
    got = unread(wire.body, [got], undefined)
  }
  // Too large or too slow to look at, and no JSON has that.
  if (isDoubtful && Answers.isPage(wire)) throw Answers.notJson(wire, false)
  if (isMissing) throw Answers.noEvents(wire)
  const plain = decoded ? inflate(got, codings) : got
  const events = isEvents && tapping.prints === true ? jsonEvents(plain, context.limits.maxLineBytes) : plain
  const body = isError ? asFarAsItCame(events) : events
  const ending = isEvents && wire.status < 300 ? endingOf(context.asked.url) : undefined
  const stream = streamOf(body, context.failure, measureOf(reading, context), ending, tapping, isEvents)
  return build(said, context, stream, decoded)
}

const answer = (wire: WireResponse, context: ResponseContext): Response | Promise<Response> => {
  const { body, status } = wire
  // No response can be made of it, and what it means nobody knows.
  if (status < 200 || status > 599) {
    throw new WireError("Malformed", "maybe", `the server answered with status ${status}`)
  }
  if (bodiless(status, context.method)) {
    return discard(body).then(() => {
      if (mustBeJson(status, context)) throw Answers.notJson(wire, true)
      return build(wire, context, null, false)
    })
  }
  let length: string | undefined
  let label = ""
  let encoding = ""
  for (const [name, value] of wire.headers) {
    if (name === "content-length") length = value
    else if (name === "content-type") label = value
    else if (name === "content-encoding") encoding = encoding === "" ? value : `${encoding}, ${value}`
  }
  // An error says enough by its status, so it stays readable; of its body no more is read than a message takes.
  const isError = status >= 400
  const known = encoding === "" ? none : codingsOf(encoding)
  if (known === undefined && !isError) throw undecodable(encoding)
  const type = label.toLowerCase()
  const isEvents = type.startsWith("text/event-stream")
  const mustBe = mustBeJson(status, context)
  if (isEvents && mustBe && context.about?.asksForEvents() === false) throw Answers.notWhole()
  if (type.startsWith("text/html") && status < 300 && Answers.isNoPage(context.asked))
    throw Answers.notJson(wire, false)
  const isAnswer = !isEvents && mustBe
  const reading: Reading = {
    codings: known ?? none,
    tapping: known === undefined ? untapped : context,
    isEvents,
    isAnswer,
    isDoubtful: isAnswer && !Answers.isJson(label),
    isMissing: isAnswer && context.about?.asksForEvents() === true,
    most: isEvents || isError || isDownload(context) ? Infinity : context.limits.maxResponseBytes
  }
  const size = length === undefined ? undefined : Number(length)
  if (size !== undefined && size > reading.most && encoding === "") throw tooLong(reading.most)
  const finish = (got: Uint8Array | WireBody) => assemble(wire, context, got, reading)
  if (!isEvents) {
    const isSmall = size !== undefined && size <= wholeBytes
    // Whoever reads an error has little patience, so it must not wait here for one that never ends.
    if (isSmall && !isError) return collect(body, size).then(finish)
    if (reading.isDoubtful || reading.isMissing) return gather(body, doubt).then(finish)
    if (isSmall || (size === undefined && Answers.isJson(type))) {
      return gather(isError ? asFarAsItCame(body) : body).then(finish)
    }
  }
  return finish(body)
}

/** Rejects or throws if a body that is read whole is cut; one that is streamed fails where it is read. */
export const respond = (wire: WireResponse, context: ResponseContext): Response | Promise<Response> => {
  const fail = (error: unknown): never => {
    wire.body.cancel()
    throw error
  }
  try {
    const response = answer(wire, context)
    return response instanceof Promise ? response.catch(fail) : response
  } catch (error) {
    return fail(error)
  }
}
