/**
 * A genuine `Response` over what came off the wire. Small bodies are read whole first and kept as bytes, since it is
 * streams that make WHATWG fetch slow; all else is a stream that pulls from the wire chunk by chunk.
 */
import { STATUS_CODES } from "node:http"

import type { BodyLimits } from "../util/bounds.ts"
import type { About } from "../wire/request.ts"
import { WireError } from "../wire/errors.ts"
import type { WireBody, WireResponse } from "./types.ts"
import { telling } from "./answerJson.ts"
import * as Answers from "./answers.ts"
import { endingOf } from "./sse/termination.ts"
import { asFarAsItCame, collect, discard, gather, ofLength, unread, wholeBytes } from "./bufferBody.ts"
import { codingsOf, inflate, inflateWhole, type Coding, undecodable } from "./decompress.ts"
import { EventFilter, PlainFilter } from "./bodyFilter.ts"
import { tooLong } from "./measure.ts"
import { streamOf } from "./streamedResponse.ts"
import { cleaned, type Tapping, untapped } from "./bodyObserver.ts"
import { WholeResponse, named } from "./bufferedResponse.ts"

export interface ResponseContext extends Tapping {
  readonly url: string
  readonly method: string
  /** Before any redirect. */
  readonly asked: Answers.OriginalRequest
  /** Facts about the request. @default none are known */
  readonly about?: About | undefined
  readonly redirected: boolean
  readonly limits: BodyLimits
  /** Maps a failure to the error that the reader of the body gets. */
  readonly failure: (error: unknown) => unknown
}

const bodiless = (status: number, method: string) =>
  method === "HEAD" || status === 204 || status === 205 || status === 304

/** True for headers that describe the bytes on the wire, and are dropped once those are decoded. */
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
  const headers = decoded ? wire.headers.filter(([name]) => !ofTheWire(name)) : wire.headers
  if (body instanceof Uint8Array) return new WholeResponse(body, { status, statusText, url, redirected, headers })
  const response = named(new Response(body, { status, statusText }), url, redirected)
  for (const [name, value] of headers) response.headers.append(name, value)
  return response
}

/** For how long, in ms, a body that is most likely no answer may keep fetch from resolving. */
const doubt = 2_000

const none: ReadonlyArray<Coding> = []

const mustBeJson = (status: number, { asked }: ResponseContext) => status < 300 && Answers.isJsonOnly(asked)

/** True for a download of a file: it may have any length, and is read piece by piece. */
const isDownload = ({ asked: { method, url } }: ResponseContext) =>
  method === "GET" && /^[^?]*\/content(\?|$)/.test(url)

/** Settings for reading one body. */
interface Reading {
  readonly codings: ReadonlyArray<Coding>
  readonly tapping: Tapping
  readonly isEvents: boolean
  /** True if the body must be JSON. */
  readonly isAnswer: boolean
  /** True if the body must be JSON, but its content type is another. */
  readonly isDoubtful: boolean
  /** True if SDKs parse it as JSON. */
  readonly isJson: boolean
  /**
   * True if events were asked for, and its content type is another: SDKs would end their streams as if all were well.
   */
  readonly isMissing: boolean
  /** Bytes that it may have. */
  readonly most: number
}

/** The body as its reader is to have it. */
const streamed = (
  wire: WireResponse,
  context: ResponseContext,
  body: WireBody,
  reading: Reading
): ReadableStream<Uint8Array> => {
  const { isEvents, most, tapping } = reading
  const { asked, failure, limits } = context
  if (!isEvents) return streamOf(body, new PlainFilter(tapping, most), failure)
  tapping.listener?.opened()
  const isSuccess = wire.status < 300
  const ending = isSuccess ? endingOf(asked.url) : undefined
  const checksJson = isSuccess && tapping.prints === true
  return streamOf(body, new EventFilter(tapping, limits.maxLineBytes, ending, checksJson), failure)
}

const assemble = (
  wire: WireResponse,
  context: ResponseContext,
  got: Uint8Array | WireBody,
  reading: Reading
): Response => {
  const { codings, isAnswer, isDoubtful, isMissing, most, tapping } = reading
  const decoded = codings.length > 0
  const isError = wire.status >= 400
  const said = isDoubtful ? Answers.asJson(wire) : wire
  if (got instanceof Uint8Array && isError && decoded) got = unread(wire.body, [got], undefined)
  if (got instanceof Uint8Array) {
    const whole = decoded ? inflateWhole(got, codings) : got
    if (whole !== undefined) {
      if (whole.byteLength > most) throw tooLong(most)
      if (isAnswer && !Answers.looksLikeJson(whole)) throw Answers.notJson(wire, whole.byteLength === 0)
      if (isMissing || (isAnswer && Answers.beginsWithError(whole))) {
        const failure = Answers.failureIn(whole, cleaned(tapping))
        if (failure !== undefined) throw failure
      }
      if (isMissing) throw Answers.noEvents(wire)
      if (reading.isJson) tapping.given?.({ text: whole, isEvents: false })
      tapping.tap?.(whole, 0)
      tapping.onTapped?.()
      tapping.listener?.whole(whole)
      return build(said, context, whole, decoded)
    }
    got = unread(wire.body, [got], undefined)
  }
  // Too large or too slow to look at, and no JSON has that.
  if (isDoubtful && Answers.isPage(wire)) throw Answers.notJson(wire, false)
  if (isMissing) throw Answers.noEvents(wire)
  const plain = decoded ? inflate(got, codings) : got
  const stream = streamed(wire, context, isError ? asFarAsItCame(plain) : plain, reading)
  const response = build(said, context, stream, decoded)
  const { given } = tapping
  return given === undefined || !reading.isJson
    ? response
    : telling(response, (text) => given({ text, isEvents: false }))
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
    isJson: isAnswer || Answers.isJson(type),
    isMissing: isAnswer && context.about?.asksForEvents() === true,
    most: isEvents || isError || isDownload(context) ? Infinity : context.limits.maxResponseBytes
  }
  const size = length === undefined ? undefined : Number(length)
  if (size !== undefined && size > reading.most && encoding === "") throw tooLong(reading.most)
  const finish = (got: Uint8Array | WireBody) => assemble(wire, context, got, reading)
  if (!isEvents) {
    const isSmall = size !== undefined && size <= wholeBytes
    const isMaybeSmall = isSmall || (size === undefined && Answers.isJson(type))
    // Most have come with their head.
    const whole = isMaybeSmall ? body.takeWhole?.(wholeBytes) : undefined
    if (whole !== undefined) return finish(isSmall && !isError ? ofLength(whole, size) : whole)
    // Error bodies are read with a short timeout (`excerpt.ts`), so none must wait here for an end that never comes.
    if (isSmall && !isError) return collect(body, size).then(finish)
    if (reading.isDoubtful || reading.isMissing) return gather(body, doubt).then(finish)
    if (isMaybeSmall) return gather(isError ? asFarAsItCame(body) : body).then(finish)
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
