/** A connection that is reset as a request is written to it: before its first byte left, or after. */
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import type * as net from "node:net"
import { expect, test } from "vitest"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { pool, serveTcp, sleep, text, until } from "./harness.ts"

const post = { method: "POST", body: "x".repeat(10_000) }

/** Answers, and resets all its connections on command. A reset is on this side of the loopback at once. */
const serve = async (secure: boolean, protocol: "HTTP/1.1" | "HTTP/2", hold = false) => {
  const bare: Array<net.Socket> = []
  let requests = 0
  const answer = (_: unknown, response: { readonly end: (body: string) => unknown }) => {
    requests++
    if (!hold) response.end("ok")
  }
  const keys = { key: certificate.key, cert: certificate.cert }
  const kept = { keepAliveTimeout: 60_000 }
  const plain = () => (protocol === "HTTP/2" ? http2.createServer(answer) : http.createServer(kept, answer))
  const overTls = () =>
    protocol === "HTTP/2" ? http2.createSecureServer(keys, answer) : https.createServer({ ...keys, ...kept }, answer)
  const server: net.Server = secure ? overTls() : plain()
  server.on("connection", (socket: net.Socket) => bare.push(socket))
  const { origin } = await serveTcp(server)
  return {
    origin: secure ? origin.replace(/^http:/, "https:") : origin,
    requests: () => requests,
    reset: () => {
      for (const socket of bare.splice(0)) socket.resetAndDestroy()
    }
  }
}

const runs = [
  ["HTTP/1.1", false, { http2: false }],
  ["HTTP/1.1", true, { http2: false }],
  ["HTTP/2", false, { http2: "prior-knowledge" }],
  ["HTTP/2", true, {}]
] as const

for (const [protocol, secure, options] of runs) {
  const name = `${protocol}${secure ? " over TLS" : ""}`

  test(`${name}: a request whose connection was reset before its first byte left goes over another`, async () => {
    const server = await serve(secure, protocol)
    const it = pool(server.origin, { ...options, maxConnections: 1 })
    expect(await text(it)).toBe("ok")
    await sleep(20)
    for (let i = 0; i < 3; i++) {
      // In one turn of the event loop, so that the reset has not been read when the request is written: undici writes to a
      // connection that was idle in the next setImmediate.
      if (protocol === "HTTP/2") server.reset()
      else setImmediate(server.reset)
      expect(await text(it, post)).toBe("ok")
      await sleep(20)
    }
    expect(server.requests()).toBe(4)
    expect(it.stats().opened).toBe(4)
  })

  test(`${name}: a request of which bytes have left before the reset may have been processed`, async () => {
    const server = await serve(secure, protocol, true)
    const it = pool(server.origin, { ...options, maxConnections: 1 })
    const first = text(it, post)
    await until(() => server.requests() === 1)
    server.reset()
    await expect(first).rejects.toMatchObject({ reason: "Connection", processed: "maybe" })
  })
}
