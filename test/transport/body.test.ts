import { expect, test } from "vitest"
import type { WireBody } from "../../src/internal/http/types.ts"
import { ask, failure, gc, pool, readAll, serveH1, serveH2, serveTls, sleep, text, until } from "./harness.ts"

type Handler = (request: { url?: string | undefined }, response: NodeJS.WritableStream) => void

/** So few streams that a session takes one at a time. */
const few = { settings: { maxConcurrentStreams: 2 } }

const protocols = [
  ["HTTP/1.1", (handler: Handler) => serveH1(handler as Parameters<typeof serveH1>[0])],
  ["HTTP/1.1 over TLS", (handler: Handler) => serveTls(handler as Parameters<typeof serveTls>[0])],
  ["HTTP/2", (handler: Handler) => serveH2(handler as unknown as Parameters<typeof serveH2>[0], few)]
] as const

for (const [name, serve] of protocols) {
  test(`${name}: 1,000 unread bodies pass through a bound of 4`, async () => {
    const server = await serve((_, response) => response.end("x".repeat(10_000)))
    const it = pool(server.origin, { maxConnections: 4 })
    const all = await Promise.all(Array.from({ length: 1_000 }, () => ask(it)))
    expect(all).toHaveLength(1_000)
    await until(() => it.stats().inFlight === 0)
    // And they are still there for a late reader.
    expect(await readAll((all[0] ?? (await ask(it))).body)).toHaveLength(10_000)
    expect(server.peak).toBeLessThanOrEqual(4)
  })

  test(`${name}: big unread bodies give way to waiting requests, and a late reader gets an error`, async () => {
    const big = Buffer.alloc(4 * 1024 * 1024)
    const server = await serve((_, response) => response.end(big))
    const it = pool(server.origin, { maxConnections: 2, unreadTimeout: 100 })
    const kept = await Promise.all(Array.from({ length: 6 }, () => ask(it)))
    expect(kept).toHaveLength(6)
    const error = await failure(readAll((kept[0] ?? (await ask(it))).body))
    expect(error.reason).toBe("Aborted")
    expect(error.message).toContain("the body was unread")
  })

  test(`${name}: a slow reader that has begun is never cut for waiting requests`, async () => {
    const big = Buffer.alloc(2 * 1024 * 1024)
    const server = await serve((_, response) => response.end(big))
    const it = pool(server.origin, { maxConnections: 1, unreadTimeout: 50 })
    const slow = await ask(it)
    const first = await slow.body.read()
    const waiting = text(it)
    await sleep(300)
    const rest = await readAll(slow.body)
    expect((first?.length ?? 0) + rest.length).toBe(big.length)
    expect(await waiting).toHaveLength(big.length)
  })

  test(`${name}: a server can't send ahead of a reader by more than the buffers between them`, async () => {
    let written = 0
    const chunk = Buffer.alloc(64 * 1024)
    const total = 640
    const server = await serve((_, response) => {
      const more = (): void => {
        while (written < total) {
          written++
          if (!response.write(chunk)) return void response.once("drain", more)
        }
        response.end()
      }
      more()
    })
    const it = pool(server.origin)
    const { body } = await ask(it)
    let before = -1
    while (before !== written) {
      before = written
      await sleep(100)
    }
    // Ours are 256 KiB, the window as much again; the kernel's own vary, up to some MB on loopback.
    expect(written * chunk.length).toBeLessThan(16 * 1024 * 1024)
    let bytes = 0
    for (let part = await body.read(); part !== undefined; part = await body.read()) bytes += part.length
    expect(bytes).toBe(total * chunk.length)
  })

  test(`${name}: an unreachable body is collected, and its stream ends at the server`, async () => {
    let closed = 0
    const server = await serve((_, response) => {
      response.on("error", () => undefined)
      response.on("close", () => closed++)
      response.write("half")
    })
    const it = pool(server.origin, { maxConnections: 4 })
    const ends: Array<string | undefined> = []
    const forget = async (): Promise<void> => {
      const { body } = await ask(it)
      body.onEnd((error) => ends.push(error?.reason))
    }
    for (let i = 0; i < 4; i++) await forget()
    const other = pool(server.origin)
    const kept = await ask(other)
    // A pending read alone keeps a body too.
    const reading = (async (body: WireBody) => {
      await body.read()
      return body.read()
    })((await ask(other)).body)
    let settled = false
    reading.then(
      () => (settled = true),
      () => (settled = true)
    )
    await until(() => {
      gc()
      return closed === 4
    })
    for (let i = 0; i < 5; i++) {
      gc()
      await sleep(20)
    }
    expect(closed).toBe(4)
    expect(settled).toBe(false)
    expect(ends).toEqual(["Aborted", "Aborted", "Aborted", "Aborted"])
    expect(Buffer.from((await kept.body.read()) ?? "").toString()).toBe("half")
    kept.body.cancel()
  })
}
