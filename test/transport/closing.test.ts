import { expect, test } from "vitest"
import { ask, failure, pool, readAll, serveH1, serveH2, serveTls, sleep, until } from "./harness.ts"

const half = ((_: unknown, response: NodeJS.WritableStream) => void response.write("half")) as never

for (const [name, serve] of [
  ["HTTP/1.1", serveH1],
  ["HTTP/1.1 over TLS", serveTls],
  ["HTTP/2", serveH2]
] as const) {
  test(`${name}: a pool that is closing is destroyed by a shorter time, whatever it waits for`, async () => {
    const server = await serve(half)
    const it = pool(server.origin, { maxConnections: 8 })
    const responses = await Promise.all(Array.from({ length: 4 }, () => ask(it)))
    // Two are read, two are not.
    const read = responses.slice(2).map(({ body }) => failure(readAll(body)))
    let closed = false
    const closing = it.close(600_000).then(() => (closed = true))
    await sleep(50)
    expect(closed).toBe(false)
    expect(server.open).toBeGreaterThan(0)
    await it.close(0)
    await closing
    expect(it.stats()).toMatchObject({ sockets: 0, inFlight: 0, queued: 0 })
    for (const error of await Promise.all(read)) expect(error.reason).toBe("Closed")
    await until(() => server.open === 0)
    // And what is longer, later, changes nothing.
    await it.close(600_000)
  })
}
