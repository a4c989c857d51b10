/** Unknown failures have a type, count as perhaps processed, and are reported once. */
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import * as diagnostics from "node:diagnostics_channel"
import * as net from "node:net"
import { assert } from "vitest"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import { isKnown } from "../../src/internal/http/statuses.ts"
import * as Errors from "../../src/internal/transport/errors.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { serveFrames } from "../support/frames.ts"
import { type Subject, subjects } from "../support/providers.ts"
import { warnings } from "../support/warnings.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const facts = (error: ClientError): ReadonlyArray<unknown> =>
  error._tag === "RequestError" ? [error.reason, error.status, error.processed] : [error._tag]

/** Answers each request with what `say` has for its path and model, and what it sends over a plain socket. */
const serve = (say: (request: string, socket: net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly at: (provider: string) => string; readonly close: () => Promise<void> }>((resolve) => {
          const sockets = new Set<net.Socket>()
          const server = net.createServer((socket) => {
            sockets.add(socket)
            socket.on("error", () => undefined)
            socket.on("close", () => sockets.delete(socket))
            let got = ""
            socket.on("data", (chunk) => {
              got += chunk.toString("latin1")
              if (!/\r\n\r\n[^]*\}$/.test(got)) return
              say(got, socket)
              got = ""
            })
          })
          server.listen(0, "127.0.0.1", () => {
            const origin = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`
            resolve({
              at: (provider) => (provider === "openai" ? `${origin}/v1` : origin),
              close: () =>
                new Promise((done) => {
                  server.close(() => done())
                  for (const socket of sockets) socket.destroy()
                })
            })
          })
        })
    ),
    ({ close }) => Effect.promise(close)
  )

const whole = (status: number, body: string, type = "application/json"): string =>
  `HTTP/1.1 ${status} Whatever\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

const completion = JSON.stringify({ choices: [{ index: 0, message: { role: "assistant", content: "hi" } }] })

const counted = (kind: string) =>
  Effect.map(Metric.value(Metric.tagged(Telemetry.unclassified, "kind", kind)), ({ count }) => count)

const run = <A, E>(effect: Effect.Effect<A, E, ClientMap.ClientMap | Scope.Scope>) =>
  effect.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

const { ca } = certificate

/** Without retries, and without circuits: each is asked. */
const plain = { maxRetries: 0, transport: { circuitFailures: false } } as const

describe("an unknown value", () => {
  it.live("of statuses is treated by its class if it has one, is perhaps processed, and is logged once", () => {
    const { layer, lines } = warnings()
    return run(
      Effect.gen(function* () {
        const statuses = [299, 299, 599, 599, 720, 999, 404, 529]
        let next = 0
        const server = yield* serve((_, socket) => void socket.write(whole(statuses[next++]!, completion)))
        const config = yield* openai.config({ baseURL: server.at, ca }, plain)
        const before = yield* counted("status")
        assert.strictEqual(yield* openai.ask(config), "hi")
        assert.strictEqual(yield* openai.ask(config), "hi")
        const errors = yield* Effect.replicateEffect(Effect.flip(openai.ask(config)), 6)
        assert.deepStrictEqual(errors.map(facts), [
          ["Server", 599, "maybe"],
          ["Server", 599, "maybe"],
          ["Malformed", undefined, "maybe"],
          ["Malformed", undefined, "maybe"],
          ["NotFound", 404, "yes"],
          ["Server", 529, "yes"]
        ])
        assert.strictEqual((yield* counted("status")) - before, 6)
        assert.strictEqual((yield* ClientMap.stats).unclassified, 6)
        const told = lines.filter(({ message }) => message.includes("unknown "))
        assert.deepStrictEqual(
          told.map(({ message }) => /status "(\d+)"/.exec(message)?.[1]),
          ["299", "599", "720", "999"]
        )
        assert.deepStrictEqual(told[0]?.annotations, { provider: "openai", kind: "status" })
      })
    ).pipe(Effect.provide(layer))
  })

  it.live("of the codes of HTTP/2 is a broken connection", () =>
    run(
      Effect.gen(function* () {
        const server = yield* Effect.acquireRelease(
          Effect.promise(() =>
            serveFrames({
              onRequest: (to, id) => {
                if (to.requests === 3) {
                  to.headers(id)
                  to.data(id, "data: {}\n\n")
                }
                setTimeout(() => to.reset(id, to.requests === 2 ? 2 : 99), 20)
              }
            })
          ),
          ({ close }) => Effect.promise(async () => close())
        )
        const config = yield* openai.config(
          { baseURL: () => `${server.origin}/v1`, ca },
          { ...plain, transport: { ...plain.transport, http2: "prior-knowledge" } }
        )
        const before = yield* counted("http2")
        for (const code of [99, 2]) {
          const error = yield* Effect.flip(openai.ask(config))
          assert.deepStrictEqual(facts(error), ["Connection", undefined, "maybe"])
          assert.include(error.message, `HTTP/2 code ${code}`)
        }
        assert.strictEqual((yield* counted("http2")) - before, 1)
        const cut = yield* Effect.flip(Stream.runDrain(openai.stream(config)))
        assert.deepStrictEqual(facts(cut), ["Connection", undefined, "yes"])
        assert.strictEqual((yield* counted("http2")) - before, 2, "in mid body too")
      })
    )
  )

  it.live("of the errors of sockets is a broken connection, whatever is thrown, and wherever", () =>
    run(
      Effect.gen(function* () {
        const odd: ReadonlyArray<readonly [thrown: unknown, isKnown: boolean]> = [
          [Object.assign(new Error("oh"), { code: "EWEIRD" }), false],
          [Object.assign(new Error("oh"), { code: "ECONNRESET" }), true],
          [Object.assign(new Error(""), { code: "EWEIRD" }), false],
          [Object.assign(new Error("oh"), { code: 7 }), true],
          ["just text", false],
          [{ toString: () => assert.fail("not to be called") }, false],
          [Object.create(null), false]
        ]
        const half = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"half":'
        const phases = ["connect", "head", "body"] as const
        let phase: (typeof phases)[number] = "connect"
        let thrown: unknown
        const ours: Array<net.Socket> = []
        const cutWhenRead = (): void => {
          const last = ours.at(-1)
          if (phase === "body" && last!.bytesRead < half.length) setTimeout(cutWhenRead, 5)
          else setImmediate(() => last?.destroy(thrown as Error))
        }
        const server = yield* serve((_, socket) => {
          if (phase === "body") socket.write(half)
          cutWhenRead()
        })
        const onSocket = (message: unknown) => {
          const { socket } = message as { readonly socket: net.Socket }
          ours.push(socket)
          if (phase === "connect") process.nextTick(() => socket.destroy(thrown as Error))
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => diagnostics.subscribe("net.client.socket", onSocket)),
          () => Effect.sync(() => diagnostics.unsubscribe("net.client.socket", onSocket))
        )
        // Else what never reached the server would be sent again, after a pause, and be met each time.
        const once = { ...plain, maxRetryAfter: 0 }
        const config = yield* openai.config({ baseURL: server.at, ca }, once)
        for (phase of phases) {
          for (const [value, isKnown] of odd) {
            thrown = value
            const before = (yield* ClientMap.stats).unclassified
            const error = yield* Effect.flip(openai.ask(config))
            const processed = { connect: "no", head: "maybe", body: "yes" }[phase]
            assert.deepStrictEqual(facts(error), ["Connection", undefined, processed], `${phase}: ${error.message}`)
            assert.strictEqual(
              (yield* ClientMap.stats).unclassified - before,
              isKnown ? 0 : 1,
              `${phase}: ${error.message}`
            )
          }
        }
      })
    )
  )

  it.live("of answers is an answer or a typed error, and never a defect", () =>
    run(
      Effect.gen(function* () {
        const said = new Map<string, string>()
        const server = yield* serve((request, socket) => {
          const id = /x-case: (\d+)/.exec(request)?.[1]
          socket.write(said.get(id ?? "") ?? "")
          socket.end()
        })
        const configs = yield* Effect.all(subjects.map((subject) => subject.config({ baseURL: server.at, ca }, plain)))
        const context = yield* Effect.context<ClientMap.ClientMap>()
        let cases = 0
        const body = fc.oneof(
          fc.json(),
          fc.string(),
          fc.constantFrom(completion, "", "null", "[]", '{"error":null}', '{"error":{"code":7,"message":{}}}'),
          fc.constantFrom('{"choices":null}', '{"choices":[null]}', '{"choices":[{"message":null}]}')
        )
        const type = fc.constantFrom("application/json", "text/html", "text/event-stream", "", "application/json; x")
        const status = fc.oneof(fc.integer({ min: 100, max: 999 }), fc.constantFrom(200, 201, 204, 304, 401, 429, 503))
        const one = fc.record({ body, type, status, which: fc.nat({ max: subjects.length - 1 }) })
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.array(one, { minLength: 20, maxLength: 20 }), async (all) => {
              const exits = await Promise.all(
                all.map(({ body, status, type, which }) => {
                  const id = String(++cases)
                  said.set(id, whole(status, body, type))
                  const asked = subjects[which]!.use(configs[which]!, (client) =>
                    client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }] }, {
                      headers: { "x-case": id }
                    } as object)
                  )
                  return Effect.runPromiseExit(Effect.provide(asked, context))
                })
              )
              for (const [i, exit] of exits.entries()) {
                const what = JSON.stringify(all[i])
                if (Exit.isSuccess(exit)) continue
                assert.isTrue(Option.isSome(Cause.failureOption(exit.cause)), `${what}: ${Cause.pretty(exit.cause)}`)
                const error = Cause.failureOption(exit.cause)
                assert.strictEqual(error._tag === "Some" && error.value._tag, "RequestError", what)
              }
            }),
            { numRuns: 15, endOnFailure: true }
          )
        )
      })
    )
  )
})

const oddityOf = (code: string) => Errors.connectError("https://a.test", Object.assign(new Error("x"), { code })).oddity

describe("an error of the wire", () => {
  /** Makes nearly anything, and what throws when it is looked at. */
  const anything: fc.Arbitrary<() => unknown> = fc.oneof(
    fc.anything({ withNullPrototype: true, withBigInt: true }).map((made) => () => made),
    fc.record({ message: fc.anything(), code: fc.anything() }).map((more) => () => Object.assign(new Error("x"), more)),
    fc.constantFrom(
      () => Object.defineProperty(new Error("x"), "code", { get: () => assert.fail("looked at") }),
      () => Object.defineProperty(new Error("x"), "message", { get: () => assert.fail("looked at") }),
      () => ({ [Symbol.toPrimitive]: () => assert.fail("looked at") }),
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      }
    )
  )

  it("can be made of whatever is thrown", () => {
    fc.assert(
      fc.property(anything, fc.boolean(), fc.nat(), (make, answered, code) => {
        const thrown = make()
        const made = [
          Errors.connectError("https://a.test", thrown),
          Errors.h1Error(thrown, answered),
          Errors.h2Error(code, answered, "maybe", thrown),
          Errors.unsendable(thrown),
          Errors.uploadError(thrown)
        ]
        for (const error of made) {
          assert.isTrue(error instanceof WireError)
          assert.isString(error.message)
        }
        assert.strictEqual(made[0]?.processed, "no")
        assert.strictEqual(made[1]?.processed, answered ? "yes" : "maybe")
        assert.strictEqual(made[2]?.processed, answered ? "yes" : "maybe")
      }),
      { numRuns: 2_000 }
    )
  })

  it("recognizes the codes of sockets, names, TLS and HTTP, and no others", () => {
    const known = [
      "ECONNREFUSED",
      "ECONNRESET",
      "EPIPE",
      "ETIMEDOUT",
      "ENOTFOUND",
      "EAI_AGAIN",
      "EHOSTUNREACH",
      "EMFILE",
      "EPROTO",
      "ERR_SSL_WRONG_VERSION_NUMBER",
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "ERR_HTTP2_STREAM_ERROR"
    ]
    for (const code of known) assert.isUndefined(oddityOf(code), code)
    for (const code of ["EWEIRD", "E", "econnreset", "XERR_"])
      assert.deepStrictEqual(oddityOf(code), { kind: "error", value: code })
    for (const status of [100, 200, 418, 429, 498, 503, 529]) assert.isTrue(isKnown(status), `${status}`)
    for (const status of [0, 199, 299, 399, 599, 600, 999]) assert.isFalse(isKnown(status), `${status}`)
  })
})
