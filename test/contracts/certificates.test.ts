/** A server that is not who it should be, and clients that must not be taken for each other. */
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import type * as tls from "node:tls"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { assert } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as certificates from "../support/certificates.ts"

interface Served {
  readonly origin: string
  /** Subjects of the clients' certificates, one a request. */
  readonly seen: Array<string>
  /** TLS sockets that stood. */
  readonly sockets: Array<tls.TLSSocket>
}

const nameOf = (socket: tls.TLSSocket): string => {
  const { subject } = socket.getPeerCertificate()
  return String(subject?.CN ?? "nobody")
}

/** Answers in HTTP/2 and HTTP/1.1. Sockets stay open until the scope closes. */
const serve = (options: http2.SecureServerOptions) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(
        () =>
          new Promise<Served & { readonly server: http2.Http2SecureServer }>((resolve) => {
            const seen: Served["seen"] = []
            const sockets: Served["sockets"] = []
            const server = http2.createSecureServer({ allowHTTP1: true, ...options }, (request, response) => {
              // The proxy that HTTP/2 puts before its socket has not all of its methods.
              const { stream } = request
              const socket = request.httpVersion === "2.0" ? socketOf(stream, sockets) : request.socket
              seen.push(nameOf(socket as tls.TLSSocket))
              response.setHeader("content-type", "application/json")
              response.end(JSON.stringify({ object: "list", data: [] }))
            })
            server.on("secureConnection", (socket: tls.TLSSocket) => {
              sockets.push(socket)
              socket.on("error", () => undefined)
            })
            server.listen(0, "127.0.0.1", () => {
              const { port } = server.address() as AddressInfo
              resolve({ origin: `https://127.0.0.1:${port}`, seen, sockets, server })
            })
          })
      ),
      ({ server, sockets }) =>
        Effect.promise(
          () =>
            new Promise<void>((resolve) => {
              server.close(() => resolve())
              for (const socket of sockets) socket.destroy()
            })
        )
    ),
    (served): Served => served
  )

const socketOf = (stream: http2.ServerHttp2Stream, sockets: ReadonlyArray<tls.TLSSocket>): tls.TLSSocket | undefined =>
  sockets.find((socket) => socket.remotePort === stream.session?.socket.remotePort)

const list = ({ origin }: Served, transport: CommonOptions["transport"]) =>
  OpenAiClient.use({ apiKey: Redacted.make("sk-canary"), baseURL: `${origin}/v1`, transport }, (client) =>
    client.models.list()
  )

const facts = (error: unknown) => {
  const { attempts, processed, reason } = error as Readonly<Record<string, unknown>>
  return { attempts, processed, reason }
}

const roads = [
  { name: "HTTP/1.1", http2: false },
  { name: "HTTP/2", http2: true }
] as const

for (const road of roads) {
  describe(`over ${road.name}`, () => {
    for (const [what, pair, ca, words] of [
      ["whose authority is not trusted", certificates.good, certificates.stranger, "certificate"],
      ["of another name", certificates.elsewhere, certificates.authority, "altnames"],
      ["whose certificate has expired", certificates.expired, certificates.authority, "expired"],
      ["whose certificate is not valid yet", certificates.early, certificates.authority, "not yet valid"]
    ] as const) {
      it.live(
        `a server ${what} is Connection at once, for all waiting requests, then and later, and receives nothing`,
        () =>
          Effect.gen(function* () {
            const served = yield* serve(pair)
            const transport = { ca, http2: road.http2, maxConnections: 2 }
            const errors = yield* Effect.all(
              Array.from({ length: 10 }, () => Effect.flip(list(served, transport))),
              { concurrency: "unbounded" }
            )
            errors.push(yield* Effect.flip(list(served, transport)))
            for (const error of errors) {
              assert.deepStrictEqual(facts(error), { attempts: 1, processed: "no", reason: "Connection" })
              assert.include(error.message, words)
            }
            assert.deepStrictEqual(served.seen, [])
          }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
      )
    }

    it.live("an untrusted server gets requests under NODE_TLS_REJECT_UNAUTHORIZED=0, and there alone", () =>
      Effect.gen(function* () {
        const served = yield* serve(certificates.elsewhere)
        const ask = list(served, { ca: certificates.stranger, http2: road.http2, isolation: "client" })
        const careless = Effect.acquireUseRelease(
          Effect.sync(() => (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0")),
          () => ask,
          () => Effect.sync(() => delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"])
        )
        yield* Effect.provide(careless, ClientLayer.layer())
        assert.strictEqual(served.seen.length, 1)
        assert.strictEqual(facts(yield* Effect.flip(Effect.provide(ask, ClientLayer.layer()))).reason, "Connection")
        assert.strictEqual(served.seen.length, 1)
      }).pipe(Effect.scoped)
    )

    it.live("sessions of TLS stay with their transport: each tenant is itself, and checks the server for itself", () =>
      Effect.gen(function* () {
        const served = yield* serve({
          ...certificates.good,
          ca: certificates.authority,
          requestCert: true,
          rejectUnauthorized: false
        })
        const { http2 } = road
        const of = (pair: { readonly cert: string; readonly key: string }) => ({
          http2,
          ca: certificates.authority,
          cert: pair.cert,
          key: Redacted.make(pair.key)
        })
        const tenants = { "tenant-a": of(certificates.tenantA), "tenant-b": of(certificates.tenantB) }
        // One after another, so that a session of the first would be there for the next.
        for (let round = 0; round < 2; round++) {
          for (const [name, transport] of Object.entries(tenants)) {
            yield* list(served, transport)
            assert.strictEqual(served.seen.at(-1), name)
          }
          yield* list(served, { http2, ca: certificates.authority })
          assert.strictEqual(served.seen.at(-1), "nobody")
          const stranger = yield* Effect.flip(list(served, { http2, ca: certificates.stranger }))
          assert.strictEqual(facts(stranger).reason, "Connection")
        }
        // A socket each, none of which took up another's session.
        const shown = served.sockets.map(nameOf).filter((name) => name !== "nobody")
        assert.deepStrictEqual(shown, Object.keys(tenants))
        assert.deepStrictEqual(
          served.sockets.map((socket) => socket.isSessionReused()),
          served.sockets.map(() => false)
        )
      }).pipe(Effect.scoped, Effect.provide(ClientLayer.layer()))
    )
  })
}
