/** HTTP/2 by hand, in frames, over TLS or with prior knowledge. */
import { type FrameConnection, serveFrames } from "../../support/frames.ts"
import type { Line, Wire } from "./arrival.ts"
import type { Endpoint, EndpointOptions } from "./endpoint.ts"

const lineOf = (connection: FrameConnection): Line => ({
  index: connection.index,
  raw: (bytes) => connection.raw(bytes),
  fin: () => connection.end(),
  rst: () => connection.rst(),
  goaway: (lastId, code) => connection.goaway(lastId, code),
  allow: (streams) => connection.settings(streams)
})

const wireOf = (connection: FrameConnection, line: Line, stream: number): Wire => ({
  line,
  stream,
  text: "",
  head: (status = 200, fields = {}) => connection.headers(stream, { status, fields: Object.entries(fields) }),
  data: (bytes) => connection.data(stream, bytes),
  end: () => connection.data(stream, "", true),
  reset: (code = 2) => connection.reset(stream, code)
})

const keyOf = (connection: FrameConnection, stream: number): string => `${connection.index} ${stream}`

export const serveHttp2 = async ({ onOpen, onRequest, secure, streams }: EndpointOptions): Promise<Endpoint> => {
  const lines = new Map<FrameConnection, Line>()
  const bodies = new Map<string, string>()
  const line = (connection: FrameConnection): Line => {
    const known = lines.get(connection) ?? lineOf(connection)
    lines.set(connection, known)
    return known
  }
  const server = await serveFrames({
    tls: secure,
    limit: streams,
    onOpen: (connection) => onOpen(line(connection)),
    onData: (connection, stream, bytes) => {
      const key = keyOf(connection, stream)
      bodies.set(key, (bodies.get(key) ?? "") + bytes.toString())
    },
    onRequest: (connection, stream) => {
      const key = keyOf(connection, stream)
      const body = bodies.get(key) ?? ""
      bodies.delete(key)
      onRequest(wireOf(connection, line(connection), stream), body)
    }
  })
  return {
    port: Number(new URL(server.origin).port),
    connections: () => server.connections,
    open: () => server.open,
    aborts: () => server.resets.length,
    close: server.close
  }
}
