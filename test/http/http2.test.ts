import { once } from "node:events"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import * as zlib from "node:zlib"

import OpenAI from "openai"
import { expect, it } from "vitest"

import { makeFetch } from "../../src/internal/http/makeFetch.ts"
import { makePool } from "../../src/internal/transport/pool.ts"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import { eventually, failureOf } from "./support.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"

it("HTTP/2 over TLS gives the SDK the same: JSON, compressed JSON, streams, cuts and aborts", async () => {
  const { ca, cert, key } = certificate
  const resets: Array<number> = []
  const server = http2.createSecureServer({ cert, key })
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {})
    stream.on("close", () => resets.push(stream.rstCode))
    const chat = JSON.stringify({ choices: [{ message: { content: "hello" } }] })
    const event = `data: ${JSON.stringify({ choices: [{ delta: { content: "a" } }] })}\n\n`
    switch (headers["x-case"]) {
      case "json":
        stream.respond({ ":status": 200, "content-type": "application/json" })
        stream.end(chat)
        break
      case "gzip":
        stream.respond({ ":status": 200, "content-type": "application/json", "content-encoding": "gzip" })
        stream.end(zlib.gzipSync(chat))
        break
      case "cut":
        stream.respond({ ":status": 200, "content-type": "text/event-stream" })
        stream.write(event)
        // Not `stream.close`: Node's servers send END_STREAM before the reset, so that the answer is whole on the wire.
        setTimeout(() => stream.session?.destroy(), 20)
        break
      default:
        stream.respond({ ":status": 200, "content-type": "text/event-stream" })
        stream.write(event)
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pool = makePool({ origin, ca, budget: new SocketBudget(8) })
  try {
    let ended = 0
    const fetch = makeFetch(() => pool, { onEnd: () => void ended++ })
    const client = (name: string) =>
      new OpenAI({ apiKey: "k", baseURL: origin, fetch, maxRetries: 0, defaultHeaders: { "x-case": name } })
    const messages = [{ role: "user" as const, content: "hi" }]
    const stream = (name: string) => client(name).chat.completions.create({ model: "m", messages, stream: true })

    for (const name of ["json", "gzip"]) {
      const answer = await client(name).chat.completions.create({ model: "m", messages })
      expect(answer.choices[0]!.message.content).toBe("hello")
    }
    expect(pool.stats().protocol).toBe("h2")
    for await (const chunk of await stream("endless")) {
      expect(chunk.choices[0]!.delta.content).toBe("a")
      break
    }
    const { NGHTTP2_CANCEL } = http2.constants
    await eventually("the server sees CANCEL", () => resets.length === 3 && resets[2] === NGHTTP2_CANCEL)
    expect(pool.stats().sockets).toBe(1)
    const cut = await stream("cut")
    const error = await failureOf(
      (async () => {
        for await (const chunk of cut) expect(chunk.choices[0]!.delta.content).toBe("a")
      })()
    )
    expect(error).toMatchObject({ name: "WireError", reason: "Connection" })
    expect([ended, pool.stats().inFlight]).toEqual([4, 0])
  } finally {
    await pool.close(0)
    server.close()
  }
})
