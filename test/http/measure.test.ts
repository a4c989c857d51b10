// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with its server inside it
import fc from "fast-check"
import * as zlib from "node:zlib"
import { describe, expect, it } from "vitest"
import { makeFetch } from "../../src/internal/http/makeFetch.ts"
import { EventFilter } from "../../src/internal/http/bodyFilter.ts"
import type { PoolOptions } from "../../src/internal/transport/options.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import { pool } from "../transport/harness.ts"
import { eventually, failureOf, withSite, type Handler } from "./support.ts"

/** The most characters that the lines of one event have, by the HTML standard's reading of lines. */
const longestEvent = (text: string): number => {
  const lines = text.split(/\r\n|\r|\n/)
  let longest = 0
  let size = 0
  for (const line of lines) {
    size = line === "" ? 0 : size + line.length
    longest = Math.max(longest, size)
  }
  return longest
}

/** The same bytes, cut where the numbers say. */
const cut = (text: string, sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  let rest = Buffer.from(text)
  for (let i = 0; rest.length > 0; i++) {
    const size = sizes[i % sizes.length] ?? 1
    chunks.push(rest.subarray(0, size))
    rest = rest.subarray(size)
  }
  return chunks
}

const isRefused = (chunks: ReadonlyArray<Uint8Array>, most: number): boolean => {
  const filter = new EventFilter({}, most, undefined, false)
  try {
    for (const chunk of chunks) filter.chunk(chunk)
    return false
  } catch (error) {
    expect(error).toMatchObject({ name: "WireError", reason: "Malformed", processed: "yes" })
    return true
  }
}

describe("the measure of events", () => {
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.stringMatching(/^[a-z]{1,12}$/) },
    { weight: 2, arbitrary: fc.constantFrom("\n", "\n\n") },
    { weight: 1, arbitrary: fc.constantFrom("\r\n", "\r", "\r\n\r\n", "\r\r") }
  )

  it("accepts events up to the limit, and no longer ones, however they are cut", () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 30 }),
        (pieces, sizes, most) => {
          const text = pieces.join("")
          expect(isRefused(cut(text, sizes), most)).toBe(longestEvent(text) > most)
        }
      ),
      { numRuns: 1_000 }
    )
  })
})

/** A fetch whose bodies are bounded as the options say. */
const bounded = (origin: string, options: Partial<PoolOptions>) => {
  const it = pool(origin, options)
  return makeFetch(() => it)
}

const malformed = async (promise: Promise<Response>, word: string): Promise<void> => {
  const error = await failureOf(promise.then((response) => response.text()))
  expect(error).toBeInstanceOf(WireError)
  expect(error).toMatchObject({ reason: "Malformed", processed: "yes" })
  expect(String(error)).toContain(word)
}

describe("a body", () => {
  it("with a Content-Length beyond the limit is refused unread, and one of just that length is not", async () => {
    const handler: Handler = ({ url }, response) => {
      const length = Number(url?.slice(1))
      response.writeHead(200, { "content-type": "application/json", "content-length": length })
      if (length > 100_000) response.write("x")
      else response.end("x".repeat(length))
    }
    await withSite(handler, async ({ aborts, origin }) => {
      const fetch = bounded(origin, { maxResponseBytes: 100_000 })
      await malformed(fetch(`${origin}/100001`), "transport.maxResponseBytes (100000)")
      await eventually("the server sees the abort", () => aborts() === 1)
      expect(await (await fetch(`${origin}/100000`)).text()).toHaveLength(100_000)
      const small = bounded(origin, { maxResponseBytes: 10 })
      await malformed(small(`${origin}/11`), "transport.maxResponseBytes (10)")
      expect(await (await small(`${origin}/10`)).text()).toBe("x".repeat(10))
    })
  })

  it("without a length fails where it exceeds the limit, and is cancelled at the server", async () => {
    const handler: Handler = ({ url }, response) => {
      response.writeHead(200, { "content-type": url === "/json" ? "application/json" : "text/plain" })
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(1_000)));
      }
      response.on("drain", more)
      more()
    }
    await withSite(handler, async ({ aborts, origin }) => {
      const fetch = bounded(origin, { maxResponseBytes: 500_000 })
      const seen: Array<number> = []
      for (const path of ["/json", "/text"]) {
        const reader = (await fetch(origin + path)).body!.getReader()
        let size = 0
        const error = await failureOf(
          (async () => {
            for (;;) size += (await reader.read()).value!.length
          })()
        )
        expect(error).toMatchObject({ name: "WireError", reason: "Malformed" })
        seen.push(size)
      }
      for (const size of seen) expect(size).toBeLessThanOrEqual(500_000)
      await eventually("the server sees both aborts", () => aborts() === 2)
    })
  })

  it("is measured with its codings undone, whether it is decoded whole or as it flows", async () => {
    const bodies: Record<string, readonly [coding: string, body: Buffer]> = {
      // Decoded in one go.
      "/small": ["gzip", zlib.gzipSync(Buffer.alloc(200_001))],
      "/just": ["gzip", zlib.gzipSync(Buffer.alloc(200_000))],
      // More than that takes.
      "/large": ["br", zlib.brotliCompressSync(Buffer.alloc(3_000_000))],
      "/twice": ["deflate, gzip", zlib.gzipSync(zlib.deflateSync(Buffer.alloc(3_000_000)))]
    }
    const handler: Handler = ({ url }, response) => {
      const [coding, body] = bodies[url ?? ""]!
      const head = { "content-encoding": coding, "content-length": body.length }
      response.writeHead(200, { "content-type": "application/json", ...head }).end(body)
    }
    await withSite(handler, async ({ origin }) => {
      const fetch = bounded(origin, { maxResponseBytes: 200_000 })
      for (const path of ["/small", "/large", "/twice"]) await malformed(fetch(origin + path), "maxResponseBytes")
      expect(await (await fetch(`${origin}/just`)).text()).toHaveLength(200_000)
      const wide = bounded(origin, { maxResponseBytes: Infinity })
      expect(await (await wide(`${origin}/twice`)).text()).toHaveLength(3_000_000)
    })
  })

  it("of events may be of any length, but none of its events", async () => {
    const handler: Handler = ({ url }, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      if (url === "/many") response.end("data: 1234567890\n\n".repeat(10_000))
      else if (url === "/line") response.write(`data: 1\n\ndata: ${"x".repeat(2_000)}`)
      else response.write("data: 1234567890\n".repeat(200))
    }
    await withSite(handler, async ({ aborts, origin }) => {
      const fetch = bounded(origin, { maxResponseBytes: 1_000, maxLineBytes: 1_000 })
      expect(await (await fetch(`${origin}/many`)).text()).toHaveLength(180_000)
      await malformed(fetch(`${origin}/line`), "transport.maxLineBytes (1000)")
      await malformed(fetch(`${origin}/lines`), "transport.maxLineBytes (1000)")
      await eventually("the server sees both aborts", () => aborts() === 2)
    })
  })

  it("that is a file's content is as long as it is, and so is an error's", async () => {
    const handler: Handler = (request, response) => {
      request.resume()
      response.writeHead(request.url === "/v1/wrong" ? 500 : 200, { "content-type": "application/octet-stream" })
      response.end(Buffer.alloc(300_000))
    }
    await withSite(handler, async ({ origin }) => {
      const fetch = bounded(origin, { maxResponseBytes: 1_000 })
      const file = `${origin}/v1/files/file-1/content`
      for (const url of [file, `${file}?part=1`]) expect((await (await fetch(url)).bytes()).length).toBe(300_000)
      const wrong = await fetch(`${origin}/v1/wrong`)
      expect([wrong.status, (await wrong.bytes()).length]).toEqual([500, 300_000])
      await malformed(fetch(file, { method: "POST", body: "x" }), "maxResponseBytes")
      await malformed(fetch(`${origin}/v1/contents`), "maxResponseBytes")
      await malformed(fetch(`${origin}/v1/chat?next=/content`), "maxResponseBytes")
    })
  })
})
