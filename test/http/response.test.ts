// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with its server inside it
import * as zlib from "node:zlib"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { respond } from "../../src/internal/http/response.ts"
import { WholeResponse } from "../../src/internal/http/bufferedResponse.ts"
import { transportLimits } from "../../src/internal/util/bounds.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import { eventually, failureOf, json, withSite, type Handler } from "./support.ts"

const stall = () => {}

describe("a whole response", () => {
  const make = (text = '{"a":"ü"}') =>
    new WholeResponse(Buffer.from(`junk${text}`).subarray(4), {
      status: 201,
      statusText: "Created",
      url: "http://h/p",
      redirected: false
    })

  it("is a Response in every way that the platform's is", async () => {
    const response = make()
    expect(response).toBeInstanceOf(Response)
    expect(response.constructor).toBe(Response)
    expect(response).toMatchObject({ status: 201, statusText: "Created", ok: true, url: "http://h/p", bodyUsed: false })
    expect(await response.json()).toEqual({ a: "ü" })
    expect(response.bodyUsed).toBe(true)
    for (const read of ["json", "text", "bytes", "arrayBuffer", "blob"] as const) {
      expect(await failureOf(response[read]())).toBeInstanceOf(TypeError)
    }
    expect(() => response.clone()).toThrow(TypeError)
    expect(() => new Response(response.body)).toThrow(TypeError)
  })

  it("gives the same bytes by every method", async () => {
    const expected = '{"a":"ü"}'
    expect(await make().text()).toBe(expected)
    expect(Buffer.from(await make().bytes()).toString()).toBe(expected)
    expect(Buffer.from(await make().arrayBuffer()).toString()).toBe(expected)
    expect(await (await make().blob()).text()).toBe(expected)
    expect(await new Response(make().body).text()).toBe(expected)
    const chunks: Array<Uint8Array> = []
    for await (const chunk of make().body) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe(expected)
    // No view into what a socket read: it would show, and let change, other answers' bytes.
    expect((await make().bytes()).buffer.byteLength).toBe(Buffer.byteLength(expected))
    expect(await make("\ufeffbom").text()).toBe("bom")
    expect(await make("\ufeff1").json()).toBe(1)
  })

  it("decodes any bytes as the platform does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
        const init = { status: 200, statusText: "OK", url: "http://h/", redirected: false }
        expect(await new WholeResponse(bytes, init).text()).toBe(await new Response(bytes).text())
      })
    )
  })

  it("has one body, whether it is seen as a stream or read", async () => {
    const response = make()
    const reader = response.body.getReader()
    expect(await failureOf(response.text())).toBeInstanceOf(TypeError)
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('{"a":"ü"}')
    expect(response.bodyUsed).toBe(true)
    expect(response.body).toBe(response.body)
  })

  it("has its headers, asked for one by one or all together", async () => {
    const headers = [
      ["content-type", "application/json"],
      ["x-a", "1"],
      ["x-a", "2"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"]
    ] as const
    const response = new WholeResponse(Buffer.from("{}"), {
      status: 200,
      statusText: "OK",
      url: "http://h/",
      redirected: false,
      headers
    })
    const one = (name: string) => WholeResponse.headerOf(response, name)
    expect([one("content-type"), one("x-a"), one("x-b")]).toEqual(["application/json", "1, 2", null])
    expect(response.headers).toBe(response.headers)
    expect(response.headers.get("X-A")).toBe("1, 2")
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"])
    response.headers.set("x-a", "3")
    expect(one("x-a")).toBe("3")
    expect([...response.clone().headers]).toEqual([...response.headers])
    expect(response.body).not.toBe(null)
    expect([...response.clone().headers]).toEqual([...response.headers])
    expect(WholeResponse.headerOf(new Response("", { headers: { "x-a": "4" } }), "x-a")).toBe("4")
  })

  it("clones before it is read, as a stream or not", async () => {
    for (const touch of [false, true]) {
      const response = make()
      response.headers.append("set-cookie", "a=1")
      response.headers.append("set-cookie", "b=2")
      if (touch) expect(response.body).not.toBe(null)
      const copy = response.clone()
      expect(copy.url).toBe("http://h/p")
      expect(copy.headers.getSetCookie()).toEqual(["a=1", "b=2"])
      expect([await copy.text(), await response.text()]).toEqual(['{"a":"ü"}', '{"a":"ü"}'])
    }
  })
})

describe("a response off the wire", () => {
  it("has url, status text and repeated headers, and is over once it was read", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(201, {
        "content-type": "application/json",
        "content-length": "2",
        "set-cookie": ["a=1", "b=2"]
      })
      response.end("{}")
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      const response = await fetch(`${origin}/x?y=1#z`)
      expect(response).toBeInstanceOf(Response)
      expect(response).toMatchObject({ url: `${origin}/x?y=1`, statusText: "Created", redirected: false })
      expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"])
      // Read whole before fetch resolved: it holds no socket whatever the caller does with it.
      expect(ended()).toBe(1)
      expect(await response.json()).toEqual({})
    })
  })

  it.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 205],
    ["GET", 304]
  ])("to %s with status %i has no body and holds nothing", async (method, status) => {
    const handler: Handler = (_, response) => {
      response.writeHead(status, method === "HEAD" ? { "content-length": "1000" } : {})
      response.end()
    }
    await withSite(handler, async ({ ended, fetch, inFlight, origin }) => {
      const response = await fetch(origin, { method })
      expect(response.body).toBe(null)
      expect(response.status).toBe(status)
      expect([ended(), inFlight()]).toEqual([1, 0])
    })
  })

  it("fails fetch itself if a small body is cut", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-length": "100" })
      response.write("{")
      setTimeout(() => response.destroy(), 20)
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      expect(await failureOf(fetch(origin))).toMatchObject({ name: "WireError", reason: "Connection" })
      expect(ended()).toBe(1)
    })
  })

  it("fails if a pool takes a short body for whole", async () => {
    const chunks = [new Uint8Array(3)]
    const body = { read: async () => chunks.shift(), cancel: stall, onEnd: stall }
    const wire = { status: 200, headers: [["content-length", "4"]] as const, body }
    const context = {
      url: "http://h/",
      method: "GET",
      asked: { url: "http://h/", method: "GET", headers: {} },
      redirected: false,
      limits: transportLimits,
      failure: (error: unknown) => error
    }
    const failed = failureOf(Promise.resolve(respond(wire, context)))
    expect(await failed).toMatchObject({ name: "WireError", reason: "Connection" })
  })

  it("streams a large body, and fails where it is cut", async () => {
    const handler: Handler = ({ url }, response) => {
      response.writeHead(200, { "content-length": "1000000" })
      if (url === "/whole") {
        response.end(Buffer.alloc(1_000_000, 1))
      } else {
        response.write(Buffer.alloc(10_000, 1))
        setTimeout(() => response.destroy(), 20)
      }
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      expect((await (await fetch(`${origin}/whole`)).bytes()).length).toBe(1_000_000)
      expect(ended()).toBe(1)
      const cut = await fetch(`${origin}/cut`)
      expect(cut.ok).toBe(true)
      expect(await failureOf(cut.bytes())).toBeInstanceOf(WireError)
      expect(ended()).toBe(2)
    })
  })

  it("hands on every chunk of an event stream before the next is sent", async () => {
    let next: () => void = stall
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      let sent = 0
      next = () => (sent++ < 3 ? response.write(`data: ${sent}\n\n`) : response.end())
      next()
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      const seen: Array<string> = []
      for await (const chunk of (await fetch(origin)).body!) {
        seen.push(Buffer.from(chunk).toString())
        next()
      }
      expect(seen).toEqual(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"])
      expect(ended()).toBe(1)
    })
  })

  it.each(["text/event-stream", "application/octet-stream"])("of %s answers several reads at a time", async (type) => {
    let next: () => void = stall
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": type })
      let sent = 0
      next = () => (sent++ < 3 ? response.write(`data: ${sent}\n\n`) : response.end())
      response.flushHeaders()
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      const reader = (await fetch(origin)).body!.getReader()
      const reads = [reader.read(), reader.read(), reader.read(), reader.read()]
      // All wait before anything comes.
      await new Promise((resolve) => setImmediate(resolve))
      next()
      const seen: Array<string> = []
      for (const read of reads) {
        seen.push(Buffer.from((await read).value ?? []).toString())
        next()
      }
      expect(seen).toEqual(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n", ""])
      expect(ended()).toBe(1)
    })
  })

  it("stops the server when its body is cancelled", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write("data: 1\n\n")
    }
    await withSite(handler, async ({ aborts, ended, fetch, origin }) => {
      const response = await fetch(origin)
      await response.body!.cancel()
      await eventually("the server sees the abort", () => aborts() === 1)
      expect(ended()).toBe(1)
    })
  })

  it.skipIf(globalThis.gc === undefined).each(["identity", "gzip"])(
    "gives its socket back when it is collected unread (%s)",
    async (encoding) => {
      const handler: Handler = (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": encoding })
        const events = "data: 1\n\n".repeat(100)
        response.write(encoding === "gzip" ? zlib.gzipSync(events).subarray(0, -9) : events)
      }
      await withSite(handler, async ({ aborts, ended, fetch, inFlight, origin }) => {
        await Promise.all(
          Array.from({ length: 3 }, async (_, index) => {
            const response = await fetch(origin)
            // One of them was begun and then dropped.
            if (index === 0) await response.body!.getReader().read()
          })
        )
        expect(inFlight()).toBe(3)
        await eventually("all three are given up", () => {
          globalThis.gc?.()
          return aborts() === 3
        })
        expect([ended(), inFlight()]).toEqual([3, 0])
      })
    }
  )

  it("applies backpressure to the server while it is unread", async () => {
    let sent = 0
    const handler: Handler = (request, response) => {
      response.writeHead(200)
      const more = (): void => {
        while (sent < 64 * 1024 * 1024) {
          sent += 65_536
          if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", more)
        }
        response.end()
      }
      request.socket.setNoDelay(true)
      more()
    }
    await withSite(handler, async ({ fetch, origin }) => {
      const response = await fetch(origin)
      const reader = response.body!.getReader()
      await reader.read()
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(sent).toBeLessThan(32 * 1024 * 1024)
      await reader.cancel()
    })
  })
})

describe("exchange", () => {
  const hang: Handler = stall

  it("rejects with the reason of the caller's signal, before and during the request", async () => {
    await withSite(hang, async ({ ended, fetch, inFlight, origin }) => {
      const reason = new Error("mine")
      expect(await failureOf(fetch(origin, { signal: AbortSignal.abort(reason) }))).toBe(reason)
      const controller = new AbortController()
      const failed = failureOf(fetch(origin, { signal: controller.signal }))
      await eventually("it is sent", () => inFlight() === 1)
      controller.abort()
      expect(await failed).toMatchObject({ name: "AbortError" })
      expect(await failed).toBeInstanceOf(DOMException)
      expect(ended()).toBe(2)
    })
  })

  it("fails the body with the reason of the caller's signal", async () => {
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write("data: 1\n\n")
    }
    await withSite(handler, async ({ aborts, ended, fetch, origin }) => {
      const controller = new AbortController()
      const reader = (await fetch(origin, { signal: controller.signal })).body!.getReader()
      await reader.read()
      const pending = failureOf(reader.read())
      controller.abort()
      expect(await pending).toMatchObject({ name: "AbortError" })
      await eventually("the server sees the abort", () => aborts() === 1)
      expect(ended()).toBe(1)
    })
  })

  it("reports a timeout as one", async () => {
    const timeouts = { headers: 30, body: 30 }
    const handler: Handler = ({ url }, response) => {
      if (url === "/body") response.writeHead(200).write("x")
    }
    await withSite(
      handler,
      async ({ ended, fetch, origin }) => {
        const headers = await failureOf(fetch(origin))
        const body = await failureOf((await fetch(`${origin}/body`)).text())
        for (const error of [headers, body]) {
          expect(error).toMatchObject({ name: "WireError", reason: "Timeout" })
          expect(String(error)).toMatch(/timed? ?out/i)
        }
        expect(ended()).toBe(2)
      },
      { timeouts }
    )
  })

  it("calls onEnd once whether a request succeeds, fails or is refused", async () => {
    await withSite(
      (_, response) => json(response, {}),
      async ({ ended, fetch, origin, server }) => {
        await (await fetch(origin)).text()
        server.close()
        server.closeAllConnections()
        await failureOf(fetch(origin))
        expect(ended()).toBe(2)
      }
    )
  })
})
