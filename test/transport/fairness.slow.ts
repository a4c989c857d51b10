/** Sockets go round robin by tenant: one that floods the pool holds up no other. */
import { expect, test } from "vitest"
import { pool, pool2, serveH1, serveH2, serveScript, text, until } from "./harness.ts"

/** Answers take 40 to 120 ms, so that sockets do not move in step. */
let draws = 0
const serviceMs = (): number => 40 + ((++draws * 0.618_034) % 1) * 80

type Handler = (request: { readonly url?: string }, response: { readonly end: (text: string) => unknown }) => void

const serveSlowly = async (
  serve: (handler: Handler) => Promise<{ readonly origin: string }>,
  seen: Array<string> = []
) =>
  serve(({ url = "" }, response) => {
    seen.push(url)
    setTimeout(() => response.end("ok"), serviceMs())
  })

/** Eight at once over each protocol. */
const protocols = [
  ["HTTP/1.1", (handler: Handler) => serveH1(handler as never), { maxConnections: 8, http2: false }],
  [
    "HTTP/2",
    (handler: Handler) => serveH2(handler as never, { settings: { maxConcurrentStreams: 4 } }),
    { maxConnections: 2 }
  ]
] as const

for (const [name, serve, bounds] of protocols) {
  test(`${name}: a tenant that floods the pool makes another wait for one socket to be free, and no longer`, async () => {
    const seen: Array<string> = []
    const server = await serveSlowly(serve, seen)
    const it = pool(server.origin, bounds)
    const end = new AbortController()
    const noisy = { path: "/noisy", tenant: {}, signal: end.signal }
    const flood = Array.from({ length: 1_000 }, async () => {
      while (!end.signal.aborted) await text(it, noisy).catch(() => undefined)
    })
    await until(() => seen.length > 50)
    const quiet = {}
    for (let i = 0; i < 30; i++) {
      const before = seen.length
      const answer = text(it, { path: `/quiet/${i}`, tenant: quiet })
      await until(() => seen.includes(`/quiet/${i}`) || seen.length > before + 100)
      // Next in line, but for those that were on their way to the server.
      expect(seen.indexOf(`/quiet/${i}`) - before).toSatisfy((ahead) => ahead >= 0 && ahead < 12)
      await answer
    }
    end.abort()
    await Promise.all(flood)
  })

  test(`${name}: a hundred tenants of whom one floods get an equal share each`, async () => {
    const seen: Array<string> = []
    const server = await serveSlowly(serve, seen)
    const it = pool(server.origin, bounds)
    await text(it)
    seen.length = 0
    const noisy = {}
    const flood = Array.from({ length: 300 }, () => text(it, { path: "/noisy", tenant: noisy }))
    const others = Array.from({ length: 99 }, (_, i) => ({ path: `/${i}` }))
    const asked = [0, 1].flatMap((n) => others.map((tenant) => text(it, { path: `${tenant.path}/${n}`, tenant })))
    await Promise.all(asked)
    // Two of each other tenant, as many of the one that floods, those that found a free socket, and those sent meanwhile.
    expect(seen.filter((path) => path === "/noisy").length).toBeLessThan(8 + 2 + 99 + 8)
    const firsts = seen.findLastIndex((path) => path.endsWith("/0"))
    expect(seen.slice(0, firsts).filter((path) => path.endsWith("/1")).length).toBeLessThan(20)
    await Promise.all(flood)
  })

  test(`${name}: one tenant is served in the order in which it came`, async () => {
    const seen: Array<string> = []
    const server = await serveSlowly(serve, seen)
    const it = pool(server.origin, { ...bounds, maxConnections: 1 })
    await text(it, { path: "/" })
    const tenant = {}
    await Promise.all(Array.from({ length: 30 }, (_, i) => text(it, { path: `/${i}`, tenant })))
    const order = seen.slice(1).map((path) => Number(path.slice(1)))
    expect(order.every((at, i) => Math.abs(at - i) < 4)).toBe(true)
  })
}

test("HTTP/2: requests that a server refused go again before those of their tenant that came later", async () => {
  let requests = 0
  const server = await serveScript({
    limit: 2,
    onRequest: (to, id) => {
      if (++requests <= 2) to.reset(id, 7)
      else setTimeout(() => to.respond(id), 5)
    }
  })
  const it = pool2(server.origin, { maxConnections: 1 })
  const order: Array<string> = []
  const tenant = {}
  const asked = (name: string) => text(it, { tenant }).then(() => order.push(name))
  const first = [asked("first"), asked("first")]
  const later = Array.from({ length: 6 }, () => asked("later"))
  await Promise.all([...first, ...later])
  expect(requests).toBe(10)
  expect(order.slice(0, 2)).toEqual(["first", "first"])
})
