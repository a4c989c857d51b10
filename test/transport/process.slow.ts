import { execFile } from "node:child_process"
import { AsyncLocalStorage } from "node:async_hooks"
import * as net from "node:net"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { drip, storm } from "../support/storm.ts"
import {
  ask,
  failure,
  gc,
  pool,
  readAll,
  serveH1,
  serveH2,
  serveScript,
  serveTcp,
  serveTls,
  sleep,
  text,
  until
} from "./harness.ts"

const run = promisify(execFile)
const source = (path: string): string => fileURLToPath(new URL(`../../src/internal/${path}`, import.meta.url))

/** Runs a script that has `pool` and `ask`, and says how long it took to exit and what it printed. */
const script = async (origin: string, options: string, body: string) => {
  const code = `
    import { makePool } from ${JSON.stringify(source("transport/pool.ts"))}
    import { SocketBudget } from ${JSON.stringify(source("transport/sockets.ts"))}
    const pool = makePool({ origin: ${JSON.stringify(origin)}, budget: new SocketBudget(), ca: process.env.CA, ...${options} })
    const timeouts = { headers: 60_000, body: 60_000 }
    const ask = (more) => pool.request({ method: "GET", path: "/", headers: {}, body: undefined, signal: undefined, timeouts, ...more })
    ${body}
    console.log(Date.now())
  `
  const { stdout } = await run(process.execPath, ["--no-warnings", "--input-type=module", "-e", code], {
    env: { ...process.env, CA: certificate.ca },
    timeout: 50_000
  })
  const lines = stdout.trim().split("\n")
  return { idleFor: Date.now() - Number(lines.at(-1)), printed: lines.slice(0, -1) }
}

const forever = (_: unknown, response: { write: (text: string) => unknown }): void => {
  response.write("half")
}

test("a script that is done exits at once, whatever its sockets do", async () => {
  const plain = await serveH1((request, response) => {
    if (request.url === "/forever") forever(request, response)
    else response.end("ok")
  })
  const secure = await serveH2((request, response) => {
    if (request.url === "/forever") forever(request, response)
    else response.end("ok")
  })
  const big = await serveTls((_, response) => response.end(Buffer.alloc(4 * 1024 * 1024)))
  const silent = await serveTcp(net.createServer((socket) => void socket.resume()))
  const cases = [
    [plain.origin, "const r = await ask(); while (await r.body.read());"],
    [secure.origin, "const r = await ask(); while (await r.body.read());"],
    [
      plain.origin,
      `const r = await ask(); while (await r.body.read()); await new Promise((go) => setTimeout(go, 50)); globalThis.kept = await ask({ path: "/forever" })`
    ],
    [secure.origin, `globalThis.kept = await ask({ path: "/forever" })`],
    [secure.origin, `const r = await ask({ path: "/forever" }); await r.body.read()`],
    [big.origin, "globalThis.kept = await ask()"],
    [
      silent.origin.replace("http", "https"),
      `const stop = new AbortController(); const p = ask({ signal: stop.signal }).catch(() => {}); setTimeout(() => stop.abort(), 100); await p`
    ]
  ] as const
  const done = await Promise.all(cases.map(([origin, body]) => script(origin, "{}", body)))
  for (const { idleFor } of done) expect(idleFor).toBeLessThan(5_000)
})

const slow = async (response: { write: (text: string) => unknown; end: (text: string) => unknown }) => {
  await sleep(700)
  response.write("one ")
  await sleep(700)
  response.end("two")
}

test("a script stays for a request in the queue, for headers, and for a read", async () => {
  const plain = await serveH1((_, response) => void slow(response))
  const secure = await serveH2((_, response) => void slow(response))
  const body = `
    const read = async () => {
      const r = await ask()
      let text = ""
      for (let c = await r.body.read(); c; c = await r.body.read()) text += Buffer.from(c)
      console.log(text)
    }
    await Promise.all([read(), read()])
  `
  const done = await Promise.all([plain, secure].map(({ origin }) => script(origin, "{ maxConnections: 1 }", body)))
  for (const { printed } of done) expect(printed).toEqual(["one two", "one two"])
})

for (const [name, serve] of [
  ["HTTP/1.1", serveH1],
  ["HTTP/1.1 over TLS", serveTls],
  ["HTTP/2", (f: (q: never, s: never) => void) => serveH2(f as Parameters<typeof serveH2>[0])]
] as const) {
  test(`${name}: a socket does not keep the context of the request that opened it`, async () => {
    const big = Buffer.alloc(2 * 1024 * 1024)
    const server = await serve(((_: unknown, response: NodeJS.WritableStream) => void response.end(big)) as never)
    const it = pool(server.origin)
    const storage = new AsyncLocalStorage<object>()
    const first = async (): Promise<WeakRef<object>> => {
      const tenant = { name: "first" }
      await storage.run(tenant, () => text(it))
      return new WeakRef(tenant)
    }
    const ref = await first()
    await until(() => {
      gc()
      return ref.deref() === undefined
    })
    expect(it.stats().sockets).toBe(1)
    await text(it)
    expect(server.total).toBe(1)
  })
}

for (const [name, serve] of [
  ["HTTP/1.1", serveH1],
  ["HTTP/2", (f: (q: never, s: never) => void) => serveH2(f as Parameters<typeof serveH2>[0])]
] as const) {
  test(`${name}: a request that is over is forgotten, however long its timeouts are`, async () => {
    const server = await serve(((request: { url?: string }, response: NodeJS.WritableStream) => {
      if (request.url !== "/never") response.end("ok")
    }) as never)
    const it = pool(server.origin)
    const timeouts = { headers: 600_000, body: 600_000 }
    const answered = async (): Promise<WeakRef<object>> => {
      const headers = { "x-which": "answered" }
      await readAll((await ask(it, { headers, timeouts })).body)
      return new WeakRef(headers)
    }
    const aborted = async (): Promise<WeakRef<object>> => {
      const headers = { "x-which": "aborted" }
      const stop = new AbortController()
      const failed = failure(ask(it, { path: "/never", headers, signal: stop.signal, timeouts }))
      await until(() => it.stats().inFlight === 1)
      stop.abort()
      await failed
      return new WeakRef(headers)
    }
    const refs = [await answered(), await aborted(), await answered(), await aborted()]
    // So that none of them is the last that a socket has seen.
    await text(it)
    await until(() => {
      gc()
      return refs.every((ref) => ref.deref() === undefined)
    })
    expect(it.stats()).toMatchObject({ sockets: 1, inFlight: 0 })
  })
}

for (const [name, serve, aborts] of [
  ["HTTP/1.1 over TLS", serveTls, 500],
  [
    "HTTP/2",
    (f: (q: never, s: never) => void) => serveH2(f as never, { settings: { maxConcurrentStreams: 100 } }),
    3_000
  ]
] as const) {
  const title = `${name}: a storm of ${aborts} aborts fails nobody else, and leaves nothing in memory`
  test(title, { timeout: 180_000 }, async () => {
    const server = await serve(drip as never)
    const it = pool(server.origin, { maxConnections: 64 })
    await storm(it, aborts / 5)
    gc()
    const before = process.memoryUsage().heapUsed
    const { lost, requests } = await storm(it, aborts)
    expect(lost).toEqual([])
    expect(requests).toBeGreaterThan(aborts * 1.3)
    await it.close(1_000)
    await sleep(100)
    gc()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 * 1024 * 1024)
    expect(it.stats()).toMatchObject({ sockets: 0, inFlight: 0, queued: 0 })
    await until(() => server.open === 0)
  })
}

const active = (): ReadonlyArray<string> =>
  process
    .getActiveResourcesInfo()
    .filter((kind) => kind === "TCPSocketWrap" || kind === "TLSWrap" || kind === "Timeout")

test("a request without a descriptor waits for a socket of any pool, and fails where there is none", async () => {
  const server = await serveH1((_, response) => setTimeout(() => response.end("ok"), 5))
  const code = `
    import { openSync } from "node:fs"
    import { makePool } from ${JSON.stringify(source("transport/pool.ts"))}
    import { SocketBudget } from ${JSON.stringify(source("transport/sockets.ts"))}
    const origin = ${JSON.stringify(server.origin)}
    const timeouts = { headers: 60_000, body: 60_000 }
    const ask = (pool) => pool.request({ method: "GET", path: "/", headers: {}, body: undefined, signal: undefined, timeouts })
    const budget = new SocketBudget(500)
    const pool = makePool({ origin, budget })
    await ask(pool)
    const all = await Promise.all(Array.from({ length: 400 }, () => ask(pool)))
    console.log(all.length, pool.stats().sockets < 400)
    const other = makePool({ origin, budget })
    const take = () => { try { for (;;) openSync("/dev/null") } catch {} }
    take()
    console.log((await ask(other)).status, "once the first pool's idle sockets have closed")
    await Promise.all([pool.close(0), other.close(0)])
    take()
    const last = makePool({ origin, budget })
    await ask(last).catch((error) => console.log(error.reason, error.processed))
  `
  const args = [
    "-c",
    `ulimit -n 100; exec "$0" "$@"`,
    process.execPath,
    "--no-warnings",
    "--input-type=module",
    "-e",
    code
  ]
  const { stdout } = await run("bash", args, { timeout: 50_000 })
  expect(stdout.trim().split("\n")).toEqual([
    "400 true",
    "200 once the first pool's idle sockets have closed",
    "FileDescriptors no"
  ])
})

test("nothing remains when pools have closed: no socket, no timer", async () => {
  const frames = await serveScript({ onRequest: (to, id) => to.headers(id) })
  const plain = await serveH1(forever)
  const secure = await serveTls((_, response) => response.end("ok"))
  await sleep(50)
  const before = active()
  const pools = [
    pool(frames.origin, { http2: "prior-knowledge" }),
    pool(plain.origin),
    pool(secure.origin),
    pool(secure.origin, { maxConnections: 1 })
  ]
  const asked = pools.flatMap((it) =>
    Array.from({ length: 4 }, () =>
      ask(it).then(
        ({ body }) => void body.read().catch(() => 0),
        () => 0
      )
    )
  )
  await sleep(200)
  await Promise.all(pools.map((it) => it.close(20)))
  await Promise.all(asked)
  for (const it of pools) expect(it.stats()).toMatchObject({ sockets: 0, inFlight: 0, queued: 0 })
  await until(() => plain.open + secure.open + frames.open === 0)
  await until(() => active().length <= before.length)
})
