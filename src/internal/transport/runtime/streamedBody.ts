/** A streamed request body as the `ReadableStream` that fetch takes: it reads on when the runtime asks for more. */
import type { StreamedBody } from "../../wire/request.ts"

/** `failed` is called with the reason why the body could not be read, before the runtime gets it. */
export const streamedBody = (
  body: StreamedBody,
  failed: (error: unknown) => void
): ReadableStream<Uint8Array<ArrayBuffer>> => {
  const chunks = body.open()[Symbol.asyncIterator]()
  let sent = 0
  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const { done, value } = await chunks.next()
      sent += done === true ? 0 : value.length
      if (body.length !== undefined && (done === true ? sent !== body.length : sent > body.length)) {
        const what = sent > body.length ? "more" : "less"
        throw new Error(`it yielded ${what} than the ${body.length} bytes that it announced`)
      }
      if (done === true) return undefined
      if (value.length > 0) return value
    }
  }
  return new ReadableStream({
    pull: async (controller) => {
      try {
        const chunk = await next()
        if (chunk === undefined) controller.close()
        else controller.enqueue(chunk as Uint8Array<ArrayBuffer>)
      } catch (error) {
        failed(error)
        controller.error(error)
      }
    },
    cancel: async () => {
      await chunks.return?.()
    }
  })
}
