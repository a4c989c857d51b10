/** A server that streams by hand: what a test writes, when it writes it. */
import * as http from "node:http"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"

export interface HeldServer {
  readonly origin: string
  /** Writes to the response that is open, in one piece. */
  readonly write: (text: string) => void
  readonly end: () => void
  /** Cuts the connection of the response that is open. */
  readonly cut: () => void
  readonly requests: () => number
  /** Responses whose reader has gone before their end. */
  readonly aborted: () => number
  readonly close: () => Promise<void>
}

export type HeldProtocol = "http/1.1" | "h2"

/** Without TLS. */
export const hold = async (protocol: HeldProtocol = "http/1.1"): Promise<HeldServer> => {
  let open: http.ServerResponse | undefined
  let requests = 0
  let aborted = 0
  const sessions = new Set<http2.ServerHttp2Session>()
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    request.resume()
    requests++
    open = response
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    response.on("close", () => (aborted += response.writableEnded ? 0 : 1))
  }
  // Requests and responses of both are alike as far as they are used here.
  const server = protocol === "h2" ? http2.createServer(answer as never) : http.createServer(answer)
  server.on("session", (session: http2.ServerHttp2Session) => {
    sessions.add(session)
    session.on("close", () => sessions.delete(session))
    session.on("error", () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    write: (text) => open!.write(text),
    end: () => open!.end(),
    cut: () => {
      if (protocol === "h2") for (const session of sessions) session.destroy()
      else open!.socket?.destroy()
    },
    requests: () => requests,
    aborted: () => aborted,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const session of sessions) session.destroy()
        if (server instanceof http.Server) server.closeAllConnections()
      })
  }
}
