// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with its server inside it
import * as zlib from "node:zlib"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { exchange, prepare, type SendOptions } from "../../src/internal/http/request.ts"
import type { WirePool } from "../../src/internal/http/types.ts"
import { eventually, failureOf, json, withSite, type Handler } from "./support.ts"

const timeouts = { headers: Infinity, body: Infinity }

/** Sends one request, and logs the calls of its hooks, in order. */
const observe = (pool: WirePool, url: string, init: RequestInit = {}) => {
  const log: Array<string> = []
  const chunks: Array<Uint8Array> = []
  const options: SendOptions = {
    timeouts,
    signal: undefined,
    onHead: (status, headers) => {
      log.push(`head ${status} ${headers.find(([name]) => name === "x-name")?.[1] ?? ""}`.trim())
    },
    // A copy: a tap may not keep what it sees.
    tap: (chunk) => void chunks.push(Uint8Array.from(chunk)),
    onTapped: () => void log.push("tapped"),
    onEnd: () => void log.push("end")
  }
  const response = Promise.resolve(prepare(url, init)).then((prepared) => exchange(pool, prepared, options))
  return { log, response, seen: () => Buffer.concat(chunks).toString() }
}

const text = '{"usage":{"total_tokens":12},"ü":"ü"}'

describe("the head of an answer", () => {
  it("is reported once, of the last hop, before the body and the end, and with its wire headers", async () => {
    const handler: Handler = ({ url }, response) => {
      if (url === "/hop") response.writeHead(307, { location: "/", "x-name": "hop" }).end("moved")
      else {
        response.setHeader("x-name", "final")
        json(response, { a: 1 })
      }
    }
    await withSite(handler, async ({ origin, pool }) => {
      for (const path of ["/", "/hop"]) {
        const { log, response } = observe(pool, origin + path)
        const order = response.then(() => log.push("response"))
        await order
        expect(log.toSorted()).toEqual(["end", "head 200 final", "response", "tapped"])
        expect(log[0]).toBe("head 200 final")
      }
      const kept = observe(pool, `${origin}/hop`, { redirect: "manual" })
      await (await kept.response).text()
      expect(kept.log[0]).toBe("head 307 hop")
    })
  })

  it("is reported for an answer without a body, which is not observed", async () => {
    await withSite(
      (_, response) => void response.writeHead(204, { "x-name": "n" }).end(),
      async ({ origin, pool }) => {
        const { log, response, seen } = observe(pool, origin)
        await response
        expect([log, seen()]).toEqual([["head 204 n", "end"], ""])
      }
    )
  })

  it("is not reported for a request that fails without one", async () => {
    await withSite(
      (_, response) => void response.destroy(),
      async ({ origin, pool }) => {
        const { log, response } = observe(pool, origin)
        await failureOf(response)
        expect(log).toEqual(["end"])
      }
    )
  })
})

describe("a body observer", () => {
  it.each(["identity", "gzip", "br", "deflate, gzip"])(
    "sees a body that is read whole, decoded (%s)",
    async (coding) => {
      const handler: Handler = (_, response) => {
        const body = Buffer.from(text)
        const encoded =
          coding === "gzip"
            ? zlib.gzipSync(body)
            : coding === "br"
              ? zlib.brotliCompressSync(body)
              : coding === "deflate, gzip"
                ? zlib.gzipSync(zlib.deflateSync(body))
                : body
        response.writeHead(200, { "content-encoding": coding, "content-length": encoded.length }).end(encoded)
      }
      await withSite(handler, async ({ origin, pool }) => {
        const { log, response, seen } = observe(pool, origin)
        const got = await response
        expect([seen(), log.includes("tapped")]).toEqual([text, true])
        expect(await got.text()).toBe(text)
        expect(log.filter((entry) => entry === "tapped")).toHaveLength(1)
      })
    }
  )

  it.each(["identity", "gzip"])("sees each chunk of a stream before its reader does (%s)", async (coding) => {
    const encoder = coding === "gzip" ? zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH }) : undefined
    let next: () => void = () => {}
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": coding })
      encoder?.pipe(response)
      const to = encoder ?? response
      let sent = 0
      next = () => (sent++ < 3 ? to.write(`data: ${sent}\n\n`) : to.end())
      next()
    }
    await withSite(handler, async ({ origin, pool }) => {
      const { log, response, seen } = observe(pool, origin)
      let read = ""
      for await (const chunk of (await response).body!) {
        read += Buffer.from(chunk).toString()
        expect(seen()).toBe(read)
        expect(log).toEqual(["head 200"])
        if (read.endsWith("\n\n")) next()
      }
      expect(read).toBe("data: 1\n\ndata: 2\n\ndata: 3\n\n")
      expect(log.toSorted()).toEqual(["end", "head 200", "tapped"])
    })
  })

  it("misses nothing of a body that was begun whole and became a stream", async () => {
    const large = "x".repeat(200_000)
    const handler: Handler = ({ url }, response) => {
      if (url === "/zipped") {
        // Small on the wire, too large to be decoded in one go.
        const encoded = zlib.gzipSync(large.repeat(10))
        response.writeHead(200, { "content-encoding": "gzip", "content-length": encoded.length }).end(encoded)
      } else {
        response.writeHead(200, { "content-type": "application/json" })
        response.write(large.slice(0, 10))
        response.end(large.slice(10))
      }
    }
    await withSite(handler, async ({ origin, pool }) => {
      for (const [path, expected] of [
        ["/", large],
        ["/zipped", large.repeat(10)]
      ] as const) {
        const { log, response, seen } = observe(pool, origin + path)
        const got = await (await response).text()
        expect(got === expected && seen() === expected, path).toBe(true)
        expect(log.filter((entry) => entry === "tapped")).toHaveLength(1)
      }
    })
  })

  it("gets one end when the reader cancels, also during a read", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
    }
    await withSite(handler, async ({ aborts, origin, pool }) => {
      for (const waits of [false, true]) {
        const before = aborts()
        const { log, response, seen } = observe(pool, origin)
        const reader = (await response).body!.getReader()
        await reader.read()
        const pending = waits ? reader.read() : undefined
        // Until the stream has passed it on.
        await new Promise((resolve) => setImmediate(resolve))
        await reader.cancel()
        await pending
        await eventually("the server sees the abort", () => aborts() === before + 1)
        expect([log.toSorted(), seen()]).toEqual([["end", "head 200", "tapped"], "data: 1\n\n"])
      }
    })
  })

  it("gets one end when a stream is cut", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
      setTimeout(() => response.destroy(), 20)
    }
    await withSite(handler, async ({ origin, pool }) => {
      const { log, response, seen } = observe(pool, origin)
      await failureOf((await response).text())
      expect([log.toSorted(), seen()]).toEqual([["end", "head 200", "tapped"], "data: 1\n\n"])
    })
  })

  it("sees nothing of an error whose coding is unknown, which its reader gets as it came", async () => {
    const handler: Handler = ({ url }, response) => {
      const type = url === "/stream" ? "text/event-stream" : "application/json"
      response.writeHead(500, { "content-type": type, "content-encoding": "rot13", "content-length": 2 }).end("ok")
    }
    await withSite(handler, async ({ origin, pool }) => {
      for (const path of ["/", "/stream"]) {
        const { log, response, seen } = observe(pool, origin + path)
        expect(await (await response).text()).toBe("ok")
        expect([log, seen()]).toEqual([["head 500", "end"], ""])
      }
    })
  })

  it("sees what the reader gets, wherever the server cuts its chunks", async () => {
    let pieces: ReadonlyArray<Uint8Array> = []
    let type = ""
    const handler: Handler = async (_, response) => {
      response.writeHead(200, { "content-type": type })
      for (const piece of pieces) {
        response.write(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    }
    await withSite(handler, async ({ origin, pool }) => {
      const piecesOf = fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 5 })
      await fc.assert(
        fc.asyncProperty(
          piecesOf,
          fc.constantFrom("application/json", "text/event-stream", "text/plain"),
          async (p, t) => {
            pieces = p
            type = t
            const { response, seen } = observe(pool, origin)
            const got = Buffer.from(await (await response).bytes())
            expect(got.equals(Buffer.concat(p))).toBe(true)
            expect(seen()).toBe(got.toString())
          }
        ),
        { numRuns: 30 }
      )
    })
  })
})
