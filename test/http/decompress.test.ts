// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with its server inside it
import * as zlib from "node:zlib"
import { describe, expect, it } from "vitest"
import { WireError } from "../../src/internal/wire/errors.ts"
import { eventually, failureOf, withSite, type Handler } from "./support.ts"

const stall = () => {}

describe("a compressed response", () => {
  const text = JSON.stringify({ text: "ü".repeat(20_000), noise: Array.from({ length: 2_000 }, (_, i) => i * 7919) })
  const codecs: Array<[name: string, encode: (data: Buffer) => Buffer]> = [
    ["gzip", zlib.gzipSync],
    ["x-gzip", zlib.gzipSync],
    ["deflate", zlib.deflateSync],
    ["deflate", zlib.deflateRawSync],
    ["br", zlib.brotliCompressSync],
    ["deflate, gzip", (data) => zlib.gzipSync(zlib.deflateSync(data))],
    ["identity, GZIP", zlib.gzipSync]
  ]
  if ("zstdCompressSync" in zlib) codecs.push(["zstd", zlib.zstdCompressSync])

  it.each(codecs)("of coding %s is decoded, without the headers of the wire's bytes", async (name, encode) => {
    const body = encode(Buffer.from(text))
    const handler: Handler = (_, response) => {
      response.writeHead(200, {
        "content-type": "application/json",
        "content-encoding": name,
        "content-length": body.length
      })
      response.end(body)
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      const response = await fetch(origin)
      expect(response.headers.has("content-encoding")).toBe(false)
      expect(response.headers.has("content-length")).toBe(false)
      expect(await response.json()).toEqual(JSON.parse(text))
      expect(ended()).toBe(1)
    })
  })

  // Node 22's zstd decoder takes a cut body for a whole one. We do not ask for zstd; a caller's own accept-encoding may.
  const telling = codecs.filter(([name]) => name !== "zstd" || Number.parseInt(process.versions.node) >= 24)

  it.each(telling)("of coding %s that ends too early is an error", async (name, encode) => {
    const body = encode(Buffer.from(text))
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-encoding": name })
      response.end(body.subarray(0, body.length - 3))
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      const error = await failureOf((await fetch(origin)).text())
      expect(error).toMatchObject({ name: "WireError", reason: "Malformed", processed: "yes" })
      expect(ended()).toBe(1)
    })
  })

  it("that is invalid, of an unknown coding, or of more codings than five, is an error that names them", async () => {
    const wrapped = (times: number) =>
      Array.from({ length: times }).reduce<Buffer>((data) => zlib.gzipSync(data), Buffer.from("plain"))
    const names = (times: number) => Array.from({ length: times }, () => "gzip").join(", ")
    const answers: Record<string, readonly [coding: string, body: string | Buffer]> = {
      "/none": ["gzip", "plain"],
      "/unknown": ["gzip, dictionary", "plain"],
      "/five": [names(5), wrapped(5)],
      "/six": [names(6), wrapped(6)]
    }
    const handler: Handler = ({ url }, response) => {
      const [coding, body] = answers[url ?? ""]!
      response.writeHead(200, { "content-type": "application/json", "content-encoding": coding }).end(body)
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      for (const path of ["/none", "/unknown", "/six"]) {
        const error = await failureOf(fetch(origin + path).then((response) => response.text()))
        expect(error).toBeInstanceOf(WireError)
        expect(error).toMatchObject({ reason: "Malformed", processed: "yes" })
        expect(String(error)).toContain(answers[path]![0])
      }
      expect(await (await fetch(`${origin}/five`)).text()).toBe("plain")
      expect(ended()).toBe(4)
    })
  })

  it("of an unknown coding stays as it came if it is an error, whose status is enough", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(429, { "content-encoding": "gzip, dictionary" }).end("plain")
    }
    await withSite(handler, async ({ fetch, origin }) => {
      const unknown = await fetch(origin)
      expect(unknown.status).toBe(429)
      expect(unknown.headers.get("content-encoding")).toBe("gzip, dictionary")
      expect(await unknown.text()).toBe("plain")
    })
  })

  it("that can't be decoded is cancelled, although it goes on", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" })
      response.write("no gzip, and no end either")
    }
    await withSite(handler, async ({ aborts, ended, fetch, origin }) => {
      expect(await failureOf((await fetch(origin)).text())).toMatchObject({ name: "WireError", reason: "Malformed" })
      await eventually("the server sees the abort", () => aborts() === 1)
      expect(ended()).toBe(1)
    })
  })

  it("may be empty", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-length": "0" })
      response.end()
    }
    await withSite(handler, async ({ fetch, origin }) => {
      expect(await (await fetch(origin)).text()).toBe("")
    })
  })

  it.each([
    ["gzip", () => zlib.createGzip()],
    ["br", () => zlib.createBrotliCompress()]
  ])(
    "of coding %s streams: each event arrives before the next is sent, and cancel stops the server",
    async (name, make) => {
      let next: () => void = stall
      const handler: Handler = (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": name })
        const encoder = make()
        encoder.pipe(response)
        let sent = 0
        next = () => {
          encoder.write(`data: ${++sent}\n\n`)
          encoder.flush()
        }
        next()
      }
      await withSite(handler, async ({ aborts, ended, fetch, origin }) => {
        const reader = (await fetch(origin)).body!.getReader()
        for (const expected of ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]) {
          expect(Buffer.from((await reader.read()).value!).toString()).toBe(expected)
          next()
        }
        await reader.cancel()
        await eventually("the server sees the abort", () => aborts() === 1)
        expect(ended()).toBe(1)
      })
    }
  )

  it("that is cut on the wire fails with the wire's own error", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-length": "100000" })
      response.write(zlib.gzipSync(text).subarray(0, 500))
      setTimeout(() => response.destroy(), 20)
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      expect(await failureOf((await fetch(origin)).text())).toMatchObject({ name: "WireError", reason: "Connection" })
      expect(ended()).toBe(1)
    })
  })
})
