/** A server that keeps what it is sent, and answers as a test wants. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

export interface Sent {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Written piece by piece, each in a turn of its own. */
  readonly pieces: ReadonlyArray<string | Uint8Array>
}

export interface Recorder {
  readonly origin: string
  readonly sent: Array<Sent>
  answer: Answer
  readonly close: () => Promise<void>
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

export const start = async (): Promise<Recorder> => {
  const server = http.createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (text: string) => (body += text))
    request.on("end", async () => {
      const { headers, method, url } = request
      recorder.sent.push({ method: method!, url: url!, headers, body })
      const { headers: own, pieces, status } = recorder.answer
      response.writeHead(status ?? 200, { "content-type": "application/json", "x-request-id": "req-7", ...own })
      for (const piece of pieces) {
        response.write(piece)
        await turn()
      }
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const recorder: Recorder = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: [],
    answer: { pieces: ["{}"] },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
  return recorder
}

export const json = (value: unknown): Answer => ({ pieces: [JSON.stringify(value)] })

export const events = (pieces: Answer["pieces"]): Answer => ({
  headers: { "content-type": "text/event-stream" },
  pieces
})
