import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as net from "node:net"
import { inspect } from "node:util"
import { expect, test } from "vitest"
import { SocketBudget } from "../../src/internal/transport/sockets.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { ask, failure, pool, serveH1, serveH2, serveTcp, serveTls, sleep, text, until, verdict } from "./harness.ts"

interface Proxy {
  readonly port: number
  readonly seen: Array<{ readonly target: string | undefined; readonly authorization: string | undefined }>
}

/** A proxy that knows CONNECT alone, and optionally one user. */
const serveProxy = async (user?: string): Promise<Proxy> => {
  const seen: Proxy["seen"] = []
  const server = http.createServer((_, response) => response.writeHead(400).end("CONNECT only"))
  const tunnels = new Set<net.Socket>()
  server.on("connect", (request, client: net.Socket, head) => {
    const authorization = request.headers["proxy-authorization"]
    seen.push({ target: request.url, authorization })
    client.on("error", () => undefined)
    if (user !== undefined && authorization !== `Basic ${Buffer.from(user).toString("base64")}`) {
      return client.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    }
    const target = new URL(`http://${request.url}`)
    const upstream = net.connect(Number(target.port), target.hostname, () => {
      // In two pieces, so that the reader of the answer must wait for its end.
      client.write("HTTP/1.1 200 Connection est")
      setTimeout(() => client.write("ablished\r\nVia: test\r\n\r\n", () => upstream.write(head)), 5)
      setTimeout(() => client.pipe(upstream).pipe(client), 10)
    })
    tunnels.add(upstream)
    upstream.on("error", () => client.destroy())
    client.on("close", () => upstream.destroy())
    upstream.on("close", () => client.destroy())
    return undefined
  })
  const { port } = await serveTcp(server)
  return { port, seen }
}

const ok: http.RequestListener = (_, response) => void response.end("ok")

test("ALPN without HTTP/2 on the server gives HTTP/1.1 on the same socket", async () => {
  const server = await serveTls(ok)
  const it = pool(server.origin)
  expect(await text(it)).toBe("ok")
  expect(it.stats()).toMatchObject({ protocol: "http/1.1", opened: 1 })
  expect(server.total).toBe(1)
})

test("http2: false speaks HTTP/1.1 to a server that would do better", async () => {
  const server = await serveH2((_, response) => response.end("ok"))
  const it = pool(server.origin, { http2: false })
  expect(await text(it)).toBe("ok")
  expect(it.stats().protocol).toBe("http/1.1")
})

test("prior knowledge speaks HTTP/2 over clear text", async () => {
  const server = await serveTcp(http2.createServer((request, response) => response.end(request.httpVersion)))
  const it = pool(server.origin, { http2: "prior-knowledge" })
  expect(await text(it)).toBe("2.0")
  expect(it.stats().protocol).toBe("h2")
})

test("a server of which the authority is unknown is not spoken to", async () => {
  const server = await serveTls(ok)
  const error = await failure(ask(pool(server.origin, { ca: undefined })))
  expect([error.reason, error.processed]).toEqual(["Untrusted", "no"])
  expect(error.message).toContain("certificate")
})

test("an invalid certificate fails the request, and leaves the budget as it was", async () => {
  const budget = new SocketBudget(4)
  const it = pool("https://127.0.0.1:1", { ca: "nonsense", cert: "nonsense", key: "nonsense", budget })
  expect(await verdict(ask(it))).toBe("Untrusted, no")
  await until(() => budget.held() === 0 && it.stats().sockets === 0)
})

test("mutual TLS shows the client's certificate, and fails without", async () => {
  const server = await serveTls(
    (request, response) => {
      const socket = request.socket
      response.end("authorized" in socket && socket.authorized === true ? "trusted" : "stranger")
    },
    { ca: certificate.ca, requestCert: true, rejectUnauthorized: true }
  )
  const { cert, key } = certificate.client
  expect(await text(pool(server.origin, { cert, key }))).toBe("trusted")
  for (let i = 0; i < 5; i++) {
    const error = await failure(ask(pool(server.origin), { method: "POST", body: "x".repeat(i * 20_000) }))
    expect(error.reason).toBe("Untrusted")
    expect(error.message).toContain("certificate required")
  }
})

for (const [name, serve, protocol] of [
  ["http", serveH1, "http/1.1"],
  ["https", serveTls, "http/1.1"],
  ["https with HTTP/2", () => serveH2((_, response) => response.end("ok")), "h2"]
] as const) {
  test(`${name} through a proxy's tunnel`, async () => {
    const server = await serve(ok)
    const proxy = await serveProxy("agent:s3cr3t@x")
    const it = pool(server.origin, { proxy: `http://agent:s3cr3t%40x@127.0.0.1:${proxy.port}` })
    const all = await Promise.all(Array.from({ length: 5 }, () => text(it)))
    expect(all).toHaveLength(5)
    expect(it.stats().protocol).toBe(protocol)
    expect(proxy.seen[0]?.target).toBe(`127.0.0.1:${server.port}`)
    await it.close(100)
    await until(() => server.open === 0)
  })
}

test("a proxy that is itself spoken to over TLS", async () => {
  const server = await serveH2((_, response) => response.end("ok"))
  const seen: Array<string | undefined> = []
  const secure = https.createServer({ key: certificate.key, cert: certificate.cert })
  secure.on("connect", (request, client: net.Socket) => {
    seen.push(request.url)
    client.on("error", () => undefined)
    const upstream = net.connect(server.port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n")
      client.pipe(upstream).pipe(client)
    })
    upstream.on("error", () => client.destroy())
    client.on("close", () => upstream.destroy())
  })
  const { port } = await serveTcp(secure)
  const it = pool(server.origin, { proxy: `https://127.0.0.1:${port}` })
  expect(await text(it)).toBe("ok")
  expect(it.stats().protocol).toBe("h2")
  expect(seen).toEqual([`127.0.0.1:${server.port}`])
})

test("a proxy that refuses fails for good, and its error keeps the credentials to itself", async () => {
  const server = await serveTls(ok)
  const proxy = await serveProxy("somebody:else")
  const it = pool(server.origin, { proxy: `http://agent:s3cr3t@127.0.0.1:${proxy.port}` })
  const error = await failure(ask(it))
  expect([error.reason, error.processed]).toEqual(["Untrusted", "no"])
  expect(error.message).toContain("407")
  const shown = inspect(error, { depth: 10, showHidden: true })
  for (const secret of ["s3cr3t", Buffer.from("agent:s3cr3t").toString("base64")]) expect(shown).not.toContain(secret)
  const gone = await failure(ask(pool(server.origin, { proxy: "http://agent:s3cr3t@127.0.0.1:1" })))
  expect(inspect(gone, { depth: 10, showHidden: true })).not.toContain("s3cr3t")
})

test("the time to connect holds for a proxy that does not answer, and for TLS that does not begin", async () => {
  const silent = await serveTcp(net.createServer((socket) => void socket.resume()))
  const server = await serveTls(ok)
  const tunnel = pool(server.origin, { proxy: `http://127.0.0.1:${silent.port}`, connectTimeout: 100 })
  expect(await verdict(ask(tunnel))).toBe("Timeout, no")
  const direct = pool(silent.origin.replace("http", "https"), { connectTimeout: 100 })
  expect(await verdict(ask(direct))).toBe("Timeout, no")
  await until(() => silent.open === 0)
})

test("a refused connection with other sockets alive leaves the queue to them", async () => {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    socket.on("data", () => {
      sockets.add(socket)
      setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 20)
    })
  })
  const { origin } = await serveTcp(server)
  const it = pool(origin)
  expect(await text(it)).toBe("ok")
  // From now on nobody new is let in.
  server.close()
  const all = await Promise.all(Array.from({ length: 10 }, () => text(it)))
  expect(all).toHaveLength(10)
  expect(sockets.size).toBe(1)
})

test("a dial in progress ends when its last waiter has left", async () => {
  const silent = await serveTcp(net.createServer(() => undefined))
  const it = pool(silent.origin.replace("http", "https"))
  const abort = new AbortController()
  const gone = verdict(ask(it, { signal: abort.signal }))
  await until(() => silent.open === 1)
  abort.abort()
  expect(await gone).toBe("Aborted, no")
  await until(() => it.stats().sockets === 0)
  await sleep(1)
})
