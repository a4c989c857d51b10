/** A request that has come to a provider whose every byte is written by hand, whichever HTTP it came over. */

export type Protocol = "HTTP/1.1" | "HTTP/1.1 over TLS" | "HTTP/2"

export type Fields = Readonly<Record<string, string>>
type Bytes = string | Uint8Array

/** The connection that a request came over. */
export interface Line {
  /** 1 for the server's first. */
  readonly index: number
  /** Bytes as they are. */
  readonly raw: (bytes: Bytes) => void
  /** The polite end, with all that was written before it. */
  readonly fin: () => void
  /** A TCP reset. */
  readonly rst: () => void
  /** Sends GOAWAY; HTTP/2 alone. */
  readonly goaway: (lastId: number, code?: number) => void
  /** MAX_CONCURRENT_STREAMS; of HTTP/2 alone. */
  readonly allow: (streams: number) => void
}

/** One request, whole. */
export interface Arrival {
  /** The model that it asks for: who asks. */
  readonly id: string
  readonly streamed: boolean
  readonly line: Line
  /** The stream's, on HTTP/2. */
  readonly stream: number
  /** Its own head, where the protocol has it in clear. */
  readonly text: string
  /** Informational heads may go before it. On HTTP/1.1 the body is chunked unless the fields give its length. */
  readonly head: (status?: number, fields?: Fields) => void
  readonly data: (bytes: Bytes) => void
  readonly end: () => void
  /** RST_STREAM with this code, or a TCP reset. */
  readonly reset: (code?: number) => void
  /** Said to have been refused unread: working on it again is no duplicate. */
  readonly refused: () => void
}

/** A transport's part of each request; the tally adds the rest. */
export type Wire = Omit<Arrival, "id" | "streamed" | "refused">

export const json: Fields = { "content-type": "application/json" }
export const events: Fields = { "content-type": "text/event-stream" }

/** The answer to a request with this id: nobody else's. */
export const contentFor = (id: string): string => `answer to ${id}`

export const completionFor = (id: string): string =>
  JSON.stringify({
    id: `chatcmpl-${id}`,
    object: "chat.completion",
    created: 1,
    model: id,
    choices: [{ index: 0, message: { role: "assistant", content: contentFor(id) }, finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 }
  })

/** An event of a streamed answer. */
export const event = (id: string, content: string, finish: "stop" | null = null): string =>
  `data: ${JSON.stringify({
    id: `chatcmpl-${id}`,
    object: "chat.completion.chunk",
    created: 1,
    model: id,
    choices: [{ index: 0, delta: content === "" ? {} : { content }, finish_reason: finish }]
  })}\n\n`

/** A streamed answer, whole. */
const eventsFor = (id: string): string =>
  `${event(id, "answer to ")}${event(id, id)}${event(id, "", "stop")}data: [DONE]\n\n`

export const answer = (arrival: Arrival): void => {
  if (arrival.streamed) {
    arrival.head(200, events)
    arrival.data(eventsFor(arrival.id))
    arrival.end()
  } else {
    const body = completionFor(arrival.id)
    arrival.head(200, { ...json, "content-length": String(Buffer.byteLength(body)) })
    arrival.data(body)
    arrival.end()
  }
}
