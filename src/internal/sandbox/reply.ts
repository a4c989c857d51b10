/** An answer before it is sent. */
import type { Headers } from "./exchange.ts"

export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** The body in the pieces that a stream is sent in; one for everything else. */
  readonly chunks: ReadonlyArray<string | Uint8Array>
  readonly streamed: boolean
  /** Tokens of the answer: the length of its generation. */
  readonly answerTokens: number
  /** Tokens of prompt and answer, as in `usage`. */
  readonly tokens: number
  /** Tokens of the prompt and of the longest answer that was asked for. */
  readonly asked: number
}

export const json = (status: number, value: unknown, headers: Headers = {}): Reply => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  chunks: [typeof value === "string" ? value : JSON.stringify(value)],
  streamed: false,
  answerTokens: 0,
  tokens: 0,
  asked: 0
})

export const SSE: Headers = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" }
export const JSON_TYPE: Headers = { "content-type": "application/json" }
