/** Sends the bytes of a request's body as fast as the peer takes them. */
import type { Writable } from "node:stream"
import type { RequestBody, StreamedBody } from "../wire/request.ts"

export const isStreamed = (body: RequestBody): body is StreamedBody =>
  typeof body === "object" && !(body instanceof Uint8Array)

/** In bytes. What is longer goes in pieces of this much. */
const long = 1024 * 1024
const piece = 256 * 1024

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
}

/**
 * `bytes` as they are to be sent on a connection that others share. Node hands over in one write whatever a server's window
 * allows: behind it would stand the requests of others, pings, and the reset of an abort.
 */
export const shared = (bytes: Uint8Array): Uint8Array | StreamedBody =>
  bytes.length <= long ? bytes : { length: bytes.length, open: () => piecesOf(bytes) }

/** The same body, whose chunks are reported as they are sent. */
export const noting = (
  body: Uint8Array | StreamedBody,
  note: (chunk: Uint8Array) => void
): Uint8Array | StreamedBody => {
  if (!isStreamed(body)) {
    note(body)
    return body
  }
  const chunks = async function* (from: StreamedBody): AsyncGenerator<Uint8Array> {
    for await (const chunk of from.open()) {
      note(chunk)
      yield chunk
    }
  }
  return { length: body.length, open: () => chunks(body) }
}

/** True if it can't be sent again, since sending it had begun before. */
export const isSpent = (body: RequestBody): boolean => isStreamed(body) && body.isSpent?.() === true

/** Resolves when the stream takes more, or never will. */
const drained = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    const go = (): void => {
      stream.off("drain", go)
      stream.off("close", go)
      resolve()
    }
    stream.on("drain", go)
    stream.on("close", go)
  })

const plain = (stream: Writable): Framing => ({
  write: (chunk) => stream.write(chunk),
  end: () => stream.end()
})

/** In chunks of HTTP/1.1; the stream stays open. */
export const chunked = (stream: Writable): Framing => ({
  write: (chunk) => {
    stream.cork()
    stream.write(`${chunk.length.toString(16)}\r\n`, "latin1")
    stream.write(chunk)
    const isRoom = stream.write("\r\n", "latin1")
    stream.uncork()
    return isRoom
  },
  end: () => stream.write("0\r\n\r\n", "latin1")
})

/** By its length alone; the stream stays open. */
export const sized = (stream: Writable): Framing => ({ write: (chunk) => stream.write(chunk), end: () => undefined })

/** Framing of a body on a stream. `write` returns false where the stream has enough for now. */
interface Framing {
  readonly write: (chunk: Uint8Array) => boolean
  readonly end: () => void
}

/**
 * Writes a body to a stream and ends it, both as `framing` does. Stops quietly when the stream closes; rejects when the
 * body itself fails, or differs from its announced length.
 */
export const upload = async (body: StreamedBody, stream: Writable, framing?: Framing): Promise<void> => {
  const { end, write } = framing ?? plain(stream)
  const chunks = body.open()[Symbol.asyncIterator]()
  // Otherwise a body that waits for its own source would never notice that it is not wanted any more.
  const stop = (): void => void chunks.return?.().catch(() => undefined)
  stream.once("close", stop)
  let sent = 0
  for (;;) {
    const next = await chunks.next()
    if (stream.destroyed || stream.writableEnded) return
    if (next.done === true) break
    if (next.value.length === 0) continue
    sent += next.value.length
    if (body.length !== undefined && sent > body.length) break
    if (!write(next.value)) await drained(stream)
    if (stream.destroyed) return
  }
  stream.off("close", stop)
  if (body.length !== undefined && sent !== body.length) {
    stop()
    throw new Error(
      `it yielded ${sent > body.length ? "more" : "less"} than the ${body.length} bytes that it announced`
    )
  }
  end()
}
