/** The bytes of answers and failures, over both protocols. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2"

export type Request = IncomingMessage | Http2ServerRequest
export type Response = ServerResponse | Http2ServerResponse

const CHUNKS = 5

const completion = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "yes" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 8, completion_tokens: 1, total_tokens: 9 }
})

const event = (delta: object, reason: "stop" | null): string => {
  const choices = [{ index: 0, delta, finish_reason: reason }]
  return `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices })}\n\n`
}

const head = (response: Response, status: number, headers: Record<string, string>): void => {
  if ("stream" in response) response.writeHead(status, headers)
  else response.writeHead(status, headers)
}

const write = (response: Response, text: string): void => {
  if ("stream" in response) response.write(text)
  else response.write(text)
}

const isGone = (response: Response): boolean => response.destroyed || response.writableEnded

const status = (response: Response, code: number, retryAfter: string | undefined): void => {
  if (isGone(response)) return
  const headers = { "content-type": "application/json", ...(retryAfter && { "retry-after": retryAfter }) }
  head(response, code, headers)
  response.end(`{"error":{"message":"status ${code}","type":"server_error"}}`)
}

const reset = (request: Request): void => {
  if ("stream" in request) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  else request.socket.resetAndDestroy()
}

const events = (response: Response, ms: number, onDone: () => void): void => {
  let sent = 0
  const next = (): void => {
    if (isGone(response)) return onDone()
    if (sent++ === 0) head(response, 200, { "content-type": "text/event-stream" })
    if (sent <= CHUNKS) {
      write(response, event({ content: "yes" }, null))
      setTimeout(next, ms / CHUNKS)
      return
    }
    response.end(`${event({}, "stop")}data: [DONE]\n\n`)
    onDone()
  }
  setTimeout(next, ms / CHUNKS)
}

/** Answers after `ms`, or spread over `ms` as a stream. */
const answer = (response: Response, ms: number, isStream: boolean, onDone: () => void): void => {
  if (isStream) return events(response, ms, onDone)
  setTimeout(() => {
    if (!isGone(response)) {
      head(response, 200, { "content-type": "application/json" })
      response.end(completion)
    }
    onDone()
  }, ms)
}

export const reply = { answer, reset, status }
