import type { OutgoingHttpHeaders } from "node:http"
import { expect, test } from "vitest"
import { ask, failure, pool, readAll, serveH1, serveH2, text, until } from "./harness.ts"

type Handler = (request: { readonly url?: string }, response: Answer) => void
interface Answer {
  readonly writeHead: (status: number, headers: OutgoingHttpHeaders) => unknown
  readonly end: (text: string) => unknown
  readonly write: (text: string) => unknown
  readonly on: (event: "error" | "close", f: () => void) => unknown
}

const protocols = [
  ["HTTP/1.1", (handler: Handler) => serveH1(handler as Parameters<typeof serveH1>[0])],
  [
    "HTTP/2",
    (handler: Handler) =>
      serveH2(handler as unknown as Parameters<typeof serveH2>[0], { maxSendHeaderBlockLength: 2 ** 20 })
  ]
] as const

/** As many headers as are asked for, besides the server's own. */
const fields = (count: number): OutgoingHttpHeaders =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "v"]))

const heads: Readonly<Record<string, OutgoingHttpHeaders>> = {
  "/small": {},
  "/100-fields": fields(100),
  "/129-fields": fields(129),
  "/900-fields": fields(900),
  "/15-kb": { "x-long": "v".repeat(15 * 1024) },
  "/17-kb": { "x-long": "v".repeat(17 * 1024) },
  "/in-parts": Object.fromEntries(Array.from({ length: 34 }, (_, i) => [`x-${i}`, "v".repeat(512)])),
  // A single value beyond 64 KB is none that nghttp2 can read: it gives the session up.
  "/100-kb": Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`x-${i}`, "v".repeat(4096)]))
}

for (const [name, serve] of protocols) {
  test(`${name}: a head of more than 16 KB or 128 headers is malformed, costs no neighbour, and is not read on`, async () => {
    let closed = 0
    const server = await serve(({ url }, response) => {
      response.on("error", () => undefined)
      response.on("close", () => closed++)
      response.writeHead(200, heads[url ?? ""] ?? {})
      if (url === "/small" || url === "/15-kb" || url === "/100-fields") response.end("ok")
      else response.write("half")
    })
    const it = pool(server.origin)
    const fine = ["/small", "/100-fields", "/15-kb"].map((path) => text(it, { path }))
    const paths = ["/129-fields", "/900-fields", "/17-kb", "/in-parts", "/100-kb"]
    const errors = await Promise.all(paths.map((path) => failure(ask(it, { path }))))
    expect(errors.map(({ processed, reason }) => `${reason}, ${processed}`)).toEqual(
      paths.map(() => "Malformed, maybe")
    )
    expect(await Promise.all(fine)).toEqual(["ok", "ok", "ok"])
    await until(() => closed === fine.length + paths.length)
    expect(await text(it, { path: "/small" })).toBe("ok")
    await until(() => it.stats().inFlight === 0)
  })

  test(`${name}: the bounds of a head are those that were given, and none if they are Infinity`, async () => {
    const server = await serve(({ url }, response) => {
      response.writeHead(200, heads[url ?? ""] ?? {})
      response.end("ok")
    })
    const tight = pool(server.origin, { maxHeadBytes: 1000, maxHeadFields: 10 })
    expect((await failure(ask(tight, { path: "/100-fields" }))).message).toMatch(/headers, .*maxHeadFields \(10\)/)
    const long = await failure(ask(tight, { path: "/15-kb" }))
    expect(long.reason).toBe("Malformed")
    expect(long.message).toMatch(/^the response's head has .*transport\.maxHeadBytes/)
    expect(await text(tight, { path: "/small" })).toBe("ok")
    const wide = pool(server.origin, { maxHeadBytes: 2 ** 20, maxHeadFields: Infinity })
    const { body, headers } = await ask(wide, { path: "/900-fields" })
    expect(headers.filter(([field]) => field.startsWith("x-"))).toHaveLength(900)
    expect(await readAll(body)).toBe("ok")
    expect(await text(wide, { path: "/100-kb" })).toBe("ok")
  })
}
