/**
 * A genuine `Response` over what came off the wire. Small bodies are read whole first and kept as bytes, since it is
 * streams that make WHATWG fetch slow; all else is a stream that pulls from the wire chunk by chunk.
 */
import { STATUS_CODES } from "node:http"

import { WireError, type WireBody, type WireResponse } from "../wire.ts"
import { codingsOf, inflate } from "./inflate.ts"
import { WholeResponse, named } from "./whole.ts"

export interface ResponseContext {
  readonly url: string
  readonly method: string
  readonly redirected: boolean
  /** What the reader of the body gets to see of a failure. */
  readonly failure: (error: unknown) => unknown
}

/** Bodies up to this size, in bytes, are read before fetch resolves. */
export const wholeBytes = 64 * 1024

/** Cancels bodies that nobody can read any more: otherwise they would keep their sockets for ever. */
const abandoned = new FinalizationRegistry<WireBody>((body) => body.cancel())

// No byte stream: it would transfer each chunk's ArrayBuffer, which sockets share among chunks.
const streamOf = (body: WireBody, failure: ResponseContext["failure"]): ReadableStream<Uint8Array> => {
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        body.read().then(
          (chunk) => (chunk === undefined ? controller.close() : controller.enqueue(chunk)),
          (error: unknown) => controller.error(failure(error))
        ),
      cancel: () => body.cancel()
    },
    // Nothing is read ahead: back-pressure reaches the wire.
    { highWaterMark: 0 }
  )
  abandoned.register(stream, body)
  return stream
}

const collect = async (body: WireBody, length: number): Promise<Uint8Array> => {
  const first = await body.read()
  let chunk = first === undefined ? undefined : await body.read()
  let bytes = first ?? new Uint8Array(0)
  if (chunk !== undefined) {
    const chunks = [bytes]
    for (; chunk !== undefined; chunk = await body.read()) chunks.push(chunk)
    bytes = Buffer.concat(chunks)
  }
  if (bytes.byteLength !== length) {
    throw new WireError("Connection", "yes", `the response body ended after ${bytes.byteLength} of ${length} bytes`)
  }
  return bytes
}

/** Reads what little is left, so that the socket can be used again; gives up a body that turns out to be large. */
export const discard = async (body: WireBody): Promise<void> => {
  let seen = 0
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    seen += chunk.byteLength
    if (seen > wholeBytes) return body.cancel()
  }
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

const answer = (wire: WireResponse, context: ResponseContext): Response | Promise<Response> => {
  const { body, status } = wire
  if (status < 200 || status > 599) throw new WireError("Malformed", "yes", `the server answered with status ${status}`)
  if (bodiless(status, context.method)) return discard(body).then(() => build(wire, context, null, false))
  let length: string | undefined
  let type = ""
  let encoding = ""
  for (const [name, value] of wire.headers) {
    if (name === "content-length") length = value
    else if (name === "content-type") type = value
    else if (name === "content-encoding") encoding = encoding === "" ? value : `${encoding}, ${value}`
  }
  const codings = encoding === "" ? undefined : codingsOf(encoding)
  if (codings !== undefined && codings.length > 0) {
    return build(wire, context, streamOf(inflate(body, codings), context.failure), true)
  }
  const size = length === undefined ? Number.NaN : Number(length)
  if (size <= wholeBytes && !type.startsWith("text/event-stream")) {
    return collect(body, size).then((bytes) => build(wire, context, bytes, false))
  }
  return build(wire, context, streamOf(body, context.failure), false)
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
