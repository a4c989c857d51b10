/** Code of others that runs as a request is dispatched: sealing, and subscribers of undici's channels. */
import { expect, test } from "vitest"
import { anyRuntime } from "../../src/internal/transport/runtime/runtime.ts"
import { ask, failure, pool, serveH1, serveH2, text, within } from "./harness.ts"

const runtime = anyRuntime("Test 1.0")

const roads = [
  { road: "HTTP/1.1", isH2: false, options: {} },
  { road: "HTTP/2", isH2: true, options: { http2: "prior-knowledge" } },
  { road: "a runtime's fetch", isH2: false, options: { runtime } }
] as const

for (const { isH2, options, road } of roads) {
  test(`over ${road} a request that is aborted as it is sealed is not sent, and leaves the queue once`, async () => {
    const seen: Array<string | undefined> = []
    const server = isH2
      ? await serveH2(({ url }, response) => {
          seen.push(url)
          response.end("ok")
        })
      : await serveH1(({ url }, response) => {
          seen.push(url)
          response.end("ok")
        })
    const it = pool(server.origin, { ...options, maxConnections: 1 })
    expect(await text(it, { path: "/first" })).toBe("ok")
    const controller = new AbortController()
    const aborted = ask(it, {
      path: "/aborted",
      method: "POST",
      body: "{}",
      signal: controller.signal,
      seal: (headers) => {
        controller.abort()
        return headers
      }
    })
    expect((await failure(aborted)).reason).toBe("Aborted")
    expect(it.stats()).toMatchObject({ queued: 0, inFlight: 0 })
    expect(await text(it, { path: "/next", deadline: within(10_000) })).toBe("ok")
    expect(seen).toEqual(["/first", "/next"])
  })
}
