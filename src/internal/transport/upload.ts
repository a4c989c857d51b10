/** Sends the bytes of a request's body as fast as the peer takes them. */
import type { Writable } from "node:stream"
import type { RequestBody, StreamedBody } from "../wire.ts"

export const isStreamed = (body: RequestBody): body is StreamedBody =>
  typeof body === "object" && !(body instanceof Uint8Array)

/** Whether it can't be sent any more, since it was begun to be sent before. */
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

/**
 * Writes a body to a stream and ends it. Stops quietly when the stream closes; rejects when the body itself fails, or is
 * not as long as it says.
 */
export const upload = async (body: StreamedBody, stream: Writable): Promise<void> => {
  const chunks = body.open()[Symbol.asyncIterator]()
  // A body that waits for its own source would otherwise never learn that nobody wants it any more.
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
    if (!stream.write(next.value)) await drained(stream)
    if (stream.destroyed) return
  }
  stream.off("close", stop)
  if (body.length !== undefined && sent !== body.length) {
    throw new Error(
      `it yielded ${sent > body.length ? "more" : "less"} than the ${body.length} bytes that it announced`
    )
  }
  stream.end()
}
