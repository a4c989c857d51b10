/** Secrets of a client, and all that it prints while everything happens to it. */
import * as net from "node:net"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { Collector, printCause } from "../support/collect.ts"
import { openai6 } from "../support/openai6.ts"
import { type Chat, question, subjects } from "../support/providers.ts"

export const key = "sk-CANARY-key-8f2c1d"
const header = "CANARY-header-77ab03"
const password = "CANARY-proxy-51d0e9"
const keyLine = certificate.client.key.split("\n")[1]!

const canaries: Readonly<Record<string, string>> = {
  key,
  header,
  password,
  "proxy credentials in base64": Buffer.from(`agent:${password}`).toString("base64"),
  "private key": keyLine
}

/** Names of the canaries that are in a text. */
export const found = (text: string): ReadonlyArray<string> =>
  Object.keys(canaries).filter((name) => text.toLowerCase().includes(canaries[name]!.toLowerCase()))

const faults = [
  "none",
  "status=400",
  "status=403",
  "status=429",
  "status=500",
  "resetBeforeHeaders",
  "resetMidBody",
  "stall=headers",
  "stall=body",
  "garbage=json",
  "truncate",
  "slowDrip=20,2",
  "goAway"
] as const

/** A request with this model is refused in words that repeat the key. */
const rules: ReadonlyArray<Sandbox.FaultRule> = [
  {
    match: { model: "repeats-json" },
    fault: {
      type: "status",
      status: 401,
      headers: { "content-type": "application/json", "x-echo": `Bearer ${key}` },
      body: JSON.stringify({ error: { message: `Incorrect API key provided: ${key}.`, code: key }, message: key })
    }
  },
  {
    match: { model: "repeats-text" },
    fault: { type: "status", status: 500, headers: { "content-type": "text/html" }, body: `<p>${key}</p>` }
  }
]

/** A proxy that lets those pass who know the password. */
const proxy = Effect.acquireRelease(
  Effect.promise(
    () =>
      new Promise<net.Server>((resolve) => {
        const server = net.createServer((socket) => {
          socket.on("error", () => undefined)
          socket.once("data", (head) => {
            const text = head.toString("latin1")
            const [, port] = /^CONNECT 127\.0\.0\.1:(\d+) /.exec(text) ?? []
            if (port === undefined || !text.includes(canaries["proxy credentials in base64"]!)) {
              return socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            }
            const upstream = net.connect(Number(port), "127.0.0.1", () => {
              socket.write("HTTP/1.1 200 OK\r\n\r\n")
              socket.pipe(upstream).pipe(socket)
            })
            upstream.on("error", () => socket.destroy())
            upstream.on("close", () => socket.destroy())
            socket.on("close", () => upstream.destroy())
            return undefined
          })
        })
        server.listen(0, "127.0.0.1", () => resolve(server))
      })
  ),
  (server) => Effect.promise(() => new Promise<void>((resolve) => server.close(() => resolve())))
)

const portOf = (server: net.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

const asked = (model: string, fault: string): [ReturnType<typeof question>, object] => [
  { ...question("hi"), model },
  fault === "none" ? {} : { headers: { "x-sandbox-fault": fault } }
]

const chat = (client: Chat, model: string, fault: string): PromiseLike<unknown> =>
  client.chat.completions.create(...asked(model, fault))

const chatStream = (client: Chat, model: string, fault: string): PromiseLike<AsyncIterable<unknown>> => {
  const [body, options] = asked(model, fault)
  return (client.chat.completions.create as (b: object, o: object) => PromiseLike<AsyncIterable<unknown>>).call(
    client.chat.completions,
    { ...body, stream: true },
    options
  )
}

/** Sets variables of the process, which make SDKs talk. */
const talkative = Effect.acquireRelease(
  Effect.sync(() => {
    const before = { ...process.env }
    Object.assign(process.env, { DEBUG: "true", OPENAI_LOG: "debug", GROQ_LOG: "debug", NODE_DEBUG: "" })
    return before
  }),
  (before) =>
    Effect.sync(() => {
      process.env = before
    })
)

/** All SDKs. */
export const sdks = [...subjects, openai6]

export const roads = [
  { name: "HTTP/1.1 through a proxy", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2 with a client certificate", sandbox: { tls: true, requestClientCert: true } }
] as const

/** Declares the test of a subject over one of the roads. */
export const keepsSecrets = (subject: (typeof sdks)[number], road: (typeof roads)[number]): void => {
  it.live(`no secret of ${subject.name} is printed over ${road.name}, whatever happens`, () =>
    Effect.gen(function* () {
      const collector = new Collector()
      const sandbox = yield* Sandbox.make({ ...road.sandbox, faults: rules })
      const tunnel = yield* proxy
      yield* talkative
      yield* Effect.scoped(
        Effect.zipRight(
          collector.console,
          Effect.gen(function* () {
            const transport =
              "tls" in road.sandbox
                ? { cert: certificate.client.cert, key: Redacted.make(certificate.client.key) }
                : { proxy: `http://agent:${password}@127.0.0.1:${portOf(tunnel)}` }
            const options = {
              key,
              headers: { "x-tenant": header, "x-api-token": header },
              maxRetries: 0,
              transport
            }
            const patient = yield* subject.config(sandbox, options)
            const impatient = yield* subject.config(sandbox, { ...options, timeout: 150, bodyTimeout: 150 })
            const refused = yield* subject.config(sandbox, {
              key,
              maxRetries: 0,
              transport: { proxy: `http://agent:wrong${password}@127.0.0.1:${portOf(tunnel)}` }
            })
            const client = yield* subject.get(patient)
            const brisk = yield* subject.get(impatient)
            collector.add(patient, client, String(patient), client.chat)
            const tell = <A>(name: string, effect: Effect.Effect<A, unknown, ClientMap.ClientMap>) =>
              effect.pipe(
                Effect.tapErrorCause((cause) => Effect.logError(name, cause)),
                Effect.tapError((error) => Effect.logError(error)),
                Effect.withSpan(name, { attributes: { config: patient } }),
                Effect.exit,
                Effect.map((exit) => {
                  collector.add(Exit.isFailure(exit) ? printCause(exit.cause) : exit.value)
                  return Exit.isSuccess(exit)
                })
              )
            const cases = [
              ...faults.map((fault) => ["test-model", fault] as const),
              ["repeats-json", "none"] as const,
              ["repeats-text", "none"] as const
            ]
            const outcomesOf = (
              config: typeof patient,
              lasting: typeof client,
              [model, fault]: (typeof cases)[number]
            ) =>
              Effect.all([
                tell(
                  `chat ${fault}`,
                  subject.use(config, (lent) => chat(lent, model, fault))
                ),
                tell(
                  `stream ${fault}`,
                  Stream.runCollect(subject.streamWith(config, (lent) => chatStream(lent, model, fault)))
                ),
                tell(
                  `raw ${fault}`,
                  Effect.tryPromise({
                    try: () => Promise.resolve(chat(lasting, model, fault)),
                    catch: (error) => error
                  })
                )
              ])
            // By itself: a fault of the others may end the connection that it is on.
            const healthy = yield* outcomesOf(patient, client, cases[0]!)
            const outcomes = yield* Effect.forEach(cases.slice(1), (one) => outcomesOf(impatient, brisk, one), {
              concurrency: "unbounded"
            })
            yield* tell("refused by the proxy", subject.ask(refused))
            collector.add(yield* ClientMap.stats)
            collector.add(yield* ClientMap.ClientMap)
            assert.deepStrictEqual(healthy, [true, true, true], "the case without a fault succeeds")
            assert.isAtLeast(outcomes.flat().filter((ok) => !ok).length, 20, "and most others fail")
          })
        ).pipe(Effect.provide(ClientLayer.layer({ leakWarning: 20 })), Effect.provide(collector.layer))
      )
      // The server has seen what nobody else may.
      assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], [key])
      assert.deepStrictEqual(found(collector.text), [], around(collector.text))
      // And enough was said for something to be found in.
      for (const word of ["RequestError", "held-by-clientele", "client built", "stream stall=body", "fingerprint"]) {
        assert.include(collector.text, word)
      }
    }).pipe(Effect.scoped)
  )
}

/** The surroundings of each canary that was found. */
const around = (text: string): string =>
  Object.values(canaries)
    .map((canary) => text.toLowerCase().indexOf(canary.toLowerCase()))
    .filter((at) => at >= 0)
    .map((at) => text.slice(Math.max(0, at - 300), at + 100))
    .join("\n---\n")
