import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Readable } from "node:stream"

import fc from "fast-check"
import { FormData as UndiciFormData } from "undici"
import { describe, expect, it } from "vitest"

import { prepare, type PreparedRequest } from "../../src/internal/http/prepare.ts"
import type { StreamedBody } from "../../src/internal/wire/request.ts"
import { draws } from "../support/draws.ts"

const url = "https://api.example.com/v1/chat?x=1#part"

const now = (init?: Parameters<typeof prepare>[1], to: string | URL = url): PreparedRequest => {
  const prepared = prepare(to, init)
  if (prepared instanceof Promise) throw new Error("this must not take a promise")
  return prepared
}

const bytes = async (body: PreparedRequest["body"]): Promise<Buffer> => {
  if (body === undefined) return Buffer.alloc(0)
  if (typeof body === "string" || body instanceof Uint8Array) return Buffer.from(body)
  const chunks: Array<Uint8Array> = []
  for await (const chunk of body.open()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const parsed = async (exchange: PreparedRequest) => {
  const type = exchange.headers["content-type"]!
  return await new Response(new Uint8Array(await bytes(exchange.body)), {
    headers: { "content-type": type }
  }).formData()
}

describe("prepare", () => {
  it("splits the URL into origin and path, and drops the fragment", () => {
    expect(now()).toMatchObject({
      origin: "https://api.example.com",
      path: "/v1/chat?x=1",
      url: "https://api.example.com/v1/chat?x=1",
      method: "GET",
      body: undefined,
      replayable: true
    })
    expect(now({ method: "post" }, new URL(url)).method).toBe("POST")
  })

  it("reads a URL that comes again as it did at first, whatever came in between", () => {
    const urls = Array.from(
      { length: 200 },
      (_, i) => `https://h${i % 3}.example.com/v1/files/f${i}${i % 5 ? "" : "?q=1"}`
    )
    for (const to of [...urls, ...urls.toReversed(), ...urls.flatMap((one) => [one, one])]) {
      const { origin, pathname, search } = new URL(to)
      expect(now({}, to)).toMatchObject({ origin, path: pathname + search, url: to })
    }
    for (let i = 0; i < 2; i++) expect(() => now({}, "https://me:sk@example.com/")).toThrow("credentials")
  })

  it("leaves the caller's URL object as it is", () => {
    const mine = new URL(url)
    now({}, mine)
    expect(mine.hash).toBe("#part")
  })

  it.each([
    ["Headers", new Headers({ Authorization: "Bearer k", "Content-Length": "3", "X-A": " 1 " })],
    [
      "pairs",
      [
        ["Authorization", "Bearer k"],
        ["Host", new URL(url).host],
        ["x-a", "1"]
      ]
    ],
    ["an object", { authorization: "Bearer k", "Content-Length": "3", "X-A": "1" }]
  ])("reads headers from %s, without those that follow from URL and body", (_, headers) => {
    expect({ ...now({ headers }).headers }).toEqual({
      authorization: "Bearer k",
      "x-a": "1",
      accept: "*/*",
      "accept-encoding": "gzip, deflate, br"
    })
  })

  it.each([
    ["Host", "evil.example"],
    ["host", `${new URL(url).host}.evil.example`],
    ["Connection", "x-a"],
    ["Keep-Alive", "timeout=5"],
    ["Transfer-Encoding", "chunked"],
    ["TE", "trailers"],
    ["Trailer", "x-a"],
    ["Upgrade", "h2c"],
    ["Expect", "100-continue"],
    ["HTTP2-Settings", "AAMAAABk"],
    ["Proxy-Authorization", "Basic secret"],
    ["Proxy-Connection", "close"]
  ])("refuses the header %s: %s, which is the connection's, by its name alone", (name, value) => {
    for (const headers of [[[name, value]], new Headers([[name, value]]), { [name]: value }]) {
      const attempt = () => now({ headers })
      expect(attempt).toThrow(TypeError)
      expect(attempt).toThrow(new RegExp(`^(?!.*${value}).*"${name.toLowerCase()}"`))
    }
  })

  it("joins repeated headers, and keeps the caller's accept and accept-encoding", () => {
    const { headers } = now({
      headers: [
        ["X-A", "1"],
        ["x-a", "2"],
        ["Accept", "a/b"],
        ["Accept-Encoding", "identity"]
      ]
    })
    expect({ ...headers }).toEqual({ "x-a": "1, 2", accept: "a/b", "accept-encoding": "identity" })
  })

  it("takes header names such as __proto__ and constructor for names", () => {
    const { headers } = now({
      headers: [
        ["constructor", "a"],
        ["__proto__", "b"]
      ]
    })
    expect(headers["constructor"]).toBe("a")
    expect(Object.entries(headers)).toContainEqual(["__proto__", "b"])
  })

  it("refuses values that would forge a header, and does not repeat them", () => {
    fc.assert(
      fc.property(fc.constantFrom("\r", "\n", "\0", "\u2028", "\x7f"), (bad) => {
        const attempt = () => now({ headers: { authorization: `Bearer secret${bad}x: y` } })
        expect(attempt).toThrow(TypeError)
        expect(attempt).toThrow(/^(?!.*secret).*authorization/s)
      })
    )
    expect(() => now({ headers: { "a b": "c" } })).toThrow(TypeError)
  })

  it("refuses URLs with credentials, other schemes and bodies of GET, without repeating the URL", () => {
    expect(() => now({}, "https://u:secret@h/")).toThrow(/^(?!.*secret)/)
    expect(() => now({}, "data:,")).toThrow(TypeError)
    expect(() => now({}, "/relative?key=secret")).toThrow(/^(?!.*secret)/)
    expect(() => now({ body: "x" })).toThrow(TypeError)
    expect(() => now({ method: "CONNECT" })).toThrow(TypeError)
  })

  it.each([
    ["text", "hi", "hi", "text/plain;charset=UTF-8"],
    ["bytes", new Uint8Array([104, 105]), "hi", undefined],
    ["a view", new DataView(new Uint8Array([0, 104, 105, 0]).buffer, 1, 2), "hi", undefined],
    ["an ArrayBuffer", new Uint8Array([104, 105]).buffer, "hi", undefined],
    ["form fields", new URLSearchParams({ a: "1 2" }), "a=1+2", "application/x-www-form-urlencoded;charset=UTF-8"]
  ])("takes %s without a promise", async (_, body, sent, type) => {
    const exchange = now({ method: "POST", body })
    expect((await bytes(exchange.body)).toString()).toBe(sent)
    expect(exchange.headers["content-type"]).toBe(type)
    expect(exchange.replayable).toBe(true)
    const own = now({ method: "POST", body, headers: { "content-type": "a/b" } })
    expect(own.headers["content-type"]).toBe("a/b")
  })

  it("reads small Blobs, streams large ones, and can do so twice", async () => {
    const small = await prepare(url, { method: "POST", body: new Blob(["hi"], { type: "a/b" }) })
    expect(small.body).toEqual(new Uint8Array([104, 105]))
    expect(small.headers["content-type"]).toBe("a/b")
    const large = await prepare(url, { method: "POST", body: new Blob(["x".repeat(2_000_000)]) })
    expect((large.body as StreamedBody).length).toBe(2_000_000)
    expect((await bytes(large.body)).length).toBe(2_000_000)
    expect((await bytes(large.body)).length).toBe(2_000_000)
    expect(large.replayable).toBe(true)
  })

  it.each([
    ["a ReadableStream", () => new Blob(["hi"]).stream()],
    ["a node Readable", () => Readable.from(["h", "i"])]
  ])("sends %s once", async (_, make) => {
    const exchange = now({ method: "POST", body: make() })
    expect(exchange.replayable).toBe(false)
    expect((exchange.body as StreamedBody).length).toBe(undefined)
    const { isSpent, open } = exchange.body as StreamedBody
    // Opened, and not begun to be read.
    await open()[Symbol.asyncIterator]().return?.()
    expect(isSpent?.()).toBe(false)
    expect((await bytes(exchange.body)).toString()).toBe("hi")
    expect(isSpent?.()).toBe(true)
    await expect(bytes(exchange.body)).rejects.toThrow(/twice/)
    const told = now({ method: "POST", body: make(), headers: { "content-length": "2" } })
    expect((told.body as StreamedBody).length).toBe(2)
    expect(told.headers["content-length"]).toBe(undefined)
  })

  it("refuses a stream that is being read already", () => {
    const stream = new Blob(["hi"]).stream()
    stream.getReader()
    expect(() => now({ method: "POST", body: stream })).toThrow(TypeError)
  })

  it("encodes any form so that it reads back the same, with its exact length, again and again", async () => {
    const field = fc.oneof(fc.fullUnicodeString(), fc.constantFrom('"', 'a"; filename="b', "a\r\nb: c", "--", ""))
    const file = fc.record({ content: fc.uint8Array(), name: field, type: fc.constantFrom("", "text/plain") })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, fc.oneof(field, file))), fc.boolean(), async (entries, large) => {
        const form = new FormData()
        for (const [name, value] of entries) {
          if (typeof value === "string") form.append(name, value)
          else form.append(name, new File([value.content], value.name, { type: value.type }))
        }
        if (large) form.append("large", new Blob([new Uint8Array(1_100_000)]), "large.bin")
        const exchange = await prepare(url, { method: "POST", body: form, headers: { "content-type": "wrong/one" } })
        const sent = await bytes(exchange.body)
        expect((await bytes(exchange.body)).equals(sent)).toBe(true)
        if (large) expect((exchange.body as StreamedBody).length).toBe(sent.length)
        else expect(exchange.body).toBeInstanceOf(Uint8Array)
        const back = [...(await parsed(exchange)).values()]
        const values = [...form.values()]
        expect(back.length).toBe(values.length)
        for (const [index, value] of values.entries()) {
          const got = back[index]!
          if (typeof value === "string") expect(got).toBe(value.replaceAll(/\r?\n|\r/g, "\r\n"))
          else
            expect(Buffer.from(await (got as File).arrayBuffer()).equals(Buffer.from(await value.arrayBuffer()))).toBe(
              true
            )
        }
      }),
      { numRuns: draws(40) }
    )
  })

  it("takes undici's own FormData, and files on disk", async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "form-"))
    try {
      const name = path.join(directory, "rows.jsonl")
      fs.writeFileSync(name, "{}\n")
      const form = new UndiciFormData()
      form.append("purpose", "batch")
      form.append("file", await fs.openAsBlob(name), "rows.jsonl")
      const back = await parsed(await prepare(url, { method: "POST", body: form }))
      expect(back.get("purpose")).toBe("batch")
      expect(await (back.get("file") as File).text()).toBe("{}\n")
      expect((back.get("file") as File).name).toBe("rows.jsonl")
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  })

  it("takes a Request with all that it holds", async () => {
    const controller = new AbortController()
    const request = new Request(url, { method: "PUT", body: "hi", headers: { a: "b" }, signal: controller.signal })
    const exchange = await prepare(request)
    expect(exchange).toMatchObject({ method: "PUT", path: "/v1/chat?x=1", replayable: true })
    expect((await bytes(exchange.body)).toString()).toBe("hi")
    expect(exchange.headers["a"]).toBe("b")
    controller.abort()
    expect(exchange.signal?.aborted).toBe(true)
  })
})
