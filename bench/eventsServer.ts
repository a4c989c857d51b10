/**
 * A provider in a process of its own that streams events each in a write of its own, as real ones do, or all in one. With TLS
 * it speaks both protocols.
 */
import * as http from "node:http"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import { certificate } from "../src/internal/sandbox/certificate.ts"
import { input } from "./child.ts"

export interface EventsOptions {
  readonly events: number
  readonly areTogether: boolean
  readonly isTls: boolean
}

const { areTogether, events, isTls } = input<EventsOptions>()

const event = (delta: object, finish_reason: string | null): string => {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason }]
  const of = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "test-model" }
  return `data: ${JSON.stringify({ ...of, system_fingerprint: "fp_1", choices })}\n\n`
}

const pieces = [
  event({ role: "assistant", content: "" }, null),
  ...Array.from({ length: events - 2 }, () => event({ content: " copper" }, null)),
  event({}, "stop")
]

const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1" })
    if (areTogether) return void response.end(`${pieces.join("")}data: [DONE]\n\n`)
    let i = 0
    const step = () => {
      if (i === pieces.length) return void response.end("data: [DONE]\n\n")
      response.write(pieces[i++])
      setImmediate(step)
    }
    step()
  })
}

const { cert, key } = certificate
const server = isTls
  ? // Its requests and responses are those of node:http where the client speaks HTTP/1.1, and much like them where not.
    http2.createSecureServer(
      { allowHTTP1: true, cert, key, settings: { maxConcurrentStreams: 1_000 } },
      answer as never
    )
  : http.createServer(answer)
server.listen(0, "127.0.0.1", () => process.send!((server.address() as AddressInfo).port))
process.once("disconnect", () => process.exit(0))
