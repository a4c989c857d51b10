/** Bodies that are streams, as fetch takes them: they can be read once, and so sent again only if nobody has begun to. */
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import { describe, expect, it } from "vitest"
import type { RequestError } from "../../src/ClientError.ts"
import { makeClients } from "../../src/Promise.ts"
import { serveToxics } from "../support/toxics.ts"
import { until } from "../support/wait.ts"

const at = (port: number): string => `http://127.0.0.1:${port}`

const portOf = (server: net.Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port))
  })

const listening = async (server: net.Server): Promise<string> => at(await portOf(server))

/** Outcome of a POST of a stream: its answer, or the error. */
const posting = (origin: string, transport: { readonly http2?: "prior-knowledge" }, maxRetries = 0) => {
  const clients = makeClients()
  const fetch = clients.getFetch({
    baseURL: `${origin}/v1`,
    apiKey: "sk-test",
    maxRetries,
    transport: { ...transport, circuitFailures: 1_000 }
  })
  const post = async (): Promise<string | RequestError> => {
    const body = new Blob(["hello"]).stream()
    try {
      const response = await fetch(`${origin}/v1/files`, { method: "POST", body, duplex: "half" })
      return await response.text()
    } catch (error) {
      return error as RequestError
    }
  }
  return { fetch, post, close: () => clients[Symbol.asyncDispose]() }
}

describe("a body that can be read once", () => {
  it("is sent on another connection if the one that it was to go out on had just closed", async () => {
    let ends = 0
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined)
      socket.on("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        // Once the answer has been read, the next is on its way or not, as it happens.
        setImmediate(() => (ends++ % 2 === 0 ? socket.resetAndDestroy() : socket.end()))
      })
    })
    const origin = await listening(server)
    const { close, fetch, post } = posting(origin, {})
    try {
      const outcomes: Array<string> = []
      for (let i = 0; i < 40; i++) {
        await fetch(`${origin}/v1/models`).then(
          (response) => response.arrayBuffer(),
          () => undefined
        )
        await new Promise((resolve) => setTimeout(resolve, 1))
        const outcome = await post()
        outcomes.push(typeof outcome === "string" ? outcome : `${outcome.reason} ${outcome.processed}`)
      }
      expect(outcomes).toContain("ok")
      // Errors only of requests whose connection closed when some of the body was sent.
      expect(outcomes.filter((outcome) => outcome !== "ok" && outcome !== "Connection maybe")).toEqual([])
    } finally {
      await close()
      server.close()
    }
  })

  it("fails as a connection does if a server of HTTP/2 refuses it when it was begun", async () => {
    const server = http2.createServer()
    let seen = 0
    server.on("stream", (stream) => {
      seen++
      stream.on("error", () => undefined)
      stream.once("data", () => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM))
    })
    const origin = await listening(server)
    const { close, post } = posting(origin, { http2: "prior-knowledge" })
    try {
      expect(await post()).toMatchObject({ _tag: "RequestError", reason: "Connection", processed: "no", attempts: 1 })
      expect(seen).toBe(1)
    } finally {
      await close()
      server.close()
    }
  })

  it("is sent again whole if no connection could be made, and fails at once without retries", async () => {
    const server = http.createServer((request, response) => void request.pipe(response))
    const proxy = await serveToxics(await portOf(server))
    proxy.add({ type: "resetPeer" })
    const patient = posting(at(proxy.port), {}, 2)
    const hasty = posting(at(proxy.port), {})
    try {
      expect(await hasty.post()).toMatchObject({ reason: "Connection", attempts: 1 })
      const before = proxy.connections
      const outcome = patient.post()
      await until(() => proxy.connections > before)
      proxy.clear()
      expect(await outcome).toBe("hello")
    } finally {
      await Promise.all([patient.close(), hasty.close()])
      await proxy.close()
      server.close()
    }
  })
})
