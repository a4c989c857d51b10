/** TLS errors after the handshake: Node reports them to the socket alone, which then lives on, deaf. */
import * as https from "node:https"
import * as net from "node:net"
import { expect, test } from "vitest"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import {
  ask,
  defer,
  failure,
  pool,
  readAll,
  serveH2,
  serveTcp,
  serveTls,
  type Served,
  text,
  until,
  verdict
} from "./harness.ts"

/** A way to a server on which bytes come, when it is spoilt, that are no TLS, and nothing else ever after. */
const relay = async (to: Served) => {
  const ways: Array<() => void> = []
  const server = net.createServer((client) => {
    const upstream = net.connect(to.port, "127.0.0.1")
    defer(() => upstream.destroy())
    for (const socket of [client, upstream]) socket.on("error", () => undefined)
    client.pipe(upstream).pipe(client)
    ways.push(() => {
      upstream.unpipe(client)
      client.write("HTTP/1.1 400 Bad Request\r\n\r\n")
    })
  })
  const { port } = await serveTcp(server)
  return { origin: `https://127.0.0.1:${port}`, spoil: () => ways.splice(0).forEach((way) => way()) }
}

interface Answer {
  readonly write: (text: string) => unknown
  readonly end: (text: string) => unknown
  readonly on: (event: "error", f: () => void) => unknown
}
type Handler = (request: { readonly url?: string }, response: Answer) => void

const protocols = [
  ["HTTP/1.1", (handler: Handler) => serveTls(handler as Parameters<typeof serveTls>[0])],
  ["HTTP/2", (handler: Handler) => serveH2(handler as unknown as Parameters<typeof serveH2>[0])]
] as const

/** A proxy that is spoken to over TLS, so that there is TLS within TLS. */
const serveProxy = (): Promise<Served> => {
  const server = https.createServer({ key: certificate.key, cert: certificate.cert })
  server.on("connect", ({ url = "" }, client: net.Socket) => {
    const upstream = net.connect(Number(url.split(":")[1]), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n")
      client.pipe(upstream).pipe(client)
    })
    for (const socket of [client, upstream]) socket.on("error", () => undefined)
    client.on("close", () => upstream.destroy())
  })
  return serveTcp(server)
}

/** Paths to a server that can be spoilt. */
const ways = {
  "": async (server: Served) => {
    const { origin, spoil } = await relay(server)
    return { it: pool(origin), spoil }
  },
  " through a proxy that is spoken to over TLS": async (server: Served) => {
    const { origin, spoil } = await relay(await serveProxy())
    return { it: pool(server.origin, { proxy: origin }), spoil }
  }
}

const cases = protocols.flatMap(([name, serve]) =>
  Object.entries(ways).map(([how, reach]) => ({ name: `${name}${how}`, serve, reach }))
)

for (const { name, reach, serve } of cases) {
  test(`${name}: bytes that are not TLS break requests in flight at once, and no others`, async () => {
    let waiting = 0
    const server = await serve(({ url }, response) => {
      response.on("error", () => undefined)
      if (url === "/half") response.write("half")
      else if (url === "/never") waiting++
      else response.end("ok")
    })
    const { it, spoil } = await reach(server)
    const { body } = await ask(it, { path: "/half" })
    const unanswered = verdict(ask(it, { path: "/never" }))
    await until(() => waiting === 1)
    spoil()
    // In less time than any of it may take.
    expect([await unanswered, await verdict(readAll(body))]).toEqual(["Connection, maybe", "Connection, yes"])
    expect(await text(it)).toBe("ok")
    await until(() => it.stats().sockets === 1)
  })
}

test("HTTP/2: a server that requires a certificate, with an alert after the handshake, fails at once", async () => {
  const server = await serveH2((_, response) => response.end("ok"), {
    ca: certificate.ca,
    requestCert: true,
    rejectUnauthorized: true
  })
  const error = await failure(ask(pool(server.origin)))
  expect([error.reason, error.processed]).toEqual(["Untrusted", "no"])
  expect(error.message).toContain("certificate required")
  const { cert, key } = certificate.client
  expect(await text(pool(server.origin, { cert, key }))).toBe("ok")
})
