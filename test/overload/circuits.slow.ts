/** Providers that are down, over real sockets: what is sent to them meanwhile, and what becomes of those who ask. */
import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as net from "node:net"
import { APIConnectionError } from "openai"
import { assert } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Failover from "../../src/Failover.ts"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { question, type Subject, subjects } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const status = (code: number, headers: Readonly<Record<string, string>> = {}): Sandbox.FaultRule => ({
  fault: { type: "status", status: code, headers }
})

const reset: Sandbox.FaultRule = { fault: { type: "resetBeforeHeaders" } }

/** Opens at the fifth failure, so that a test need not make 64. */
const soon = { transport: { circuitFailures: 5 } } satisfies CommonOptions

const facts = (error: ClientError) =>
  error._tag === "RequestError" ? [error.reason, error.status, error.processed, error.attempts] : [error._tag]

const openCircuits = Effect.map(ClientMap.stats, ({ clients }) => clients[0]?.openCircuits)

const run = <A, E>(effect: Effect.Effect<A, E, ClientMap.ClientMap | Scope.Scope>) =>
  effect.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

/** Fails until a circuit is open. */
const untilOpen = <A, R>(ask: Effect.Effect<A, ClientError, R>) =>
  Effect.gen(function* () {
    for (let i = 0; i < 200 && ((yield* openCircuits) ?? 0) === 0; i++) {
      yield* Effect.either(ask)
      yield* Effect.sleep(50)
    }
    assert.isAtLeast((yield* openCircuits) ?? 0, 1)
  })

const crowd = <A, E, R>(size: number, ask: Effect.Effect<A, E, R>) =>
  Effect.all(
    Array.from({ length: size }, () => ask),
    { concurrency: "unbounded" }
  )

/** A server of sockets, until the scope closes. */
const listening = (onSocket: (socket: net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: net.Server; readonly open: Set<net.Socket> }>((resume) => {
      const open = new Set<net.Socket>()
      const server = net.createServer((socket) => {
        open.add(socket)
        socket.on("error", () => undefined)
        socket.on("close", () => open.delete(socket))
        onSocket(socket)
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, open })))
    }),
    ({ open, server }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of open) socket.destroy()
      })
  ).pipe(Effect.map(({ server }) => (server.address() as net.AddressInfo).port))

describe("a provider that is down", () => {
  for (const [name, protocol] of [
    ["HTTP/1.1", "http/1.1"],
    ["HTTP/2", "h2"]
  ] as const) {
    it.live(`by 503 over ${name} is probed, and answers all waiting requests when it is back`, () =>
      run(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ tls: true, protocol, faults: [status(503)] })
          const config = yield* openai.config(sandbox)
          const agents = yield* Effect.fork(crowd(100, openai.ask(config)))
          yield* eventually(openCircuits, (open) => open === 1)
          // Attempts that were under way have ended.
          yield* Effect.sleep(200)
          const before = sandbox.stats().requests
          const since = performance.now()
          yield* Effect.sleep(1_000)
          const probes = sandbox.stats().requests - before
          assert.isAtMost(probes, (10 * (performance.now() - since)) / 1_000)
          assert.isAtLeast(probes, 1)
          sandbox.faults.replace([])
          assert.lengthOf(yield* Fiber.join(agents), 100)
          yield* openai.ask(config)
          assert.strictEqual(yield* openCircuits, 0)
        })
      )
    )
  }

  it.live("by refusing connections is dialled by probes, and answers all waiting requests when it is back", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const { port } = sandbox
        yield* Effect.promise(sandbox.close)
        const config = yield* openai.config(sandbox)
        const agents = yield* Effect.fork(crowd(50, openai.ask(config)))
        yield* Effect.sleep(1_500)
        const stats = yield* ClientMap.stats
        assert.strictEqual(stats.clients[0]?.openCircuits, 1)
        const again = yield* Sandbox.make({ port })
        assert.lengthOf(yield* Fiber.join(agents), 50)
        assert.strictEqual(again.stats().requests, 50)
      })
    )
  )

  it.live("answers one agent alone that has failed as often as it may", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(503)] })
        const agent = yield* Effect.fork(openai.ask(yield* openai.config(sandbox, { maxRetries: 1 })))
        yield* eventually(openCircuits, (open) => open === 1)
        sandbox.faults.replace([])
        assert.notStrictEqual(yield* Fiber.join(agent), "")
        assert.isAtMost(sandbox.stats().requests, 5)
      })
    )
  )

  it.live("by silence fails each request in its time, and holds back later ones", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, timeout: 100, ...soon })
        yield* untilOpen(openai.ask(config))
        const sent = sandbox.stats().requests
        const results = yield* crowd(20, Effect.flip(openai.ask(config)))
        assert.isAtMost(sandbox.stats().requests - sent, 3)
        assert.isAtLeast(results.filter((error) => facts(error)[3] === 0).length, 17, "unsent")
        sandbox.faults.replace([])
        const patient = yield* openai.config(sandbox, { timeout: 20_000, ...soon })
        assert.notStrictEqual(yield* openai.ask(patient), "")
      })
    )
  )

  it.live("by a TLS handshake that never ends is dialled no more than ten times a second", () =>
    run(
      Effect.gen(function* () {
        const dials: Array<number> = []
        const port = yield* listening(() => dials.push(performance.now()))
        const config = yield* openai.config(
          { baseURL: () => `https://127.0.0.1:${port}`, ca: (yield* Sandbox.make()).ca },
          { maxRetryAfter: 3_000, transport: { connectTimeout: 100 } }
        )
        const errors = yield* crowd(100, Effect.flip(openai.ask(config)))
        assert.isTrue(errors.every((error) => error._tag === "RequestError" && error.processed === "no"))
        const late = dials.filter((at) => at > dials[0]! + 1_000)
        assert.isAtMost(late.length, 10 * 3)
      })
    )
  )

  it.live("by silence requeues requests that wait for a connection when its circuit opens", () =>
    run(
      Effect.gen(function* () {
        const stall: Sandbox.FaultRule = { fault: { type: "stall", at: "headers" } }
        const sandbox = yield* Sandbox.make({ faults: [stall] })
        const transport = { maxConnections: 2, circuitFailures: 5 }
        const config = yield* openai.config(sandbox, { maxRetries: 1, timeout: 200, transport })
        const agents = yield* Effect.fork(crowd(30, Effect.either(openai.ask(config))))
        yield* eventually(openCircuits, (open) => open === 1)
        yield* eventually(ClientMap.stats, ({ clients }) => clients[0]!.queued <= 2)
        sandbox.faults.replace([])
        const answered = (yield* Fiber.join(agents)).filter(Either.isRight)
        assert.isAtLeast(answered.length, 20)
      })
    )
  )

  it.live("gives requests without retries the next probe's verdict, unsent, with the time until the next", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [reset] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, ...soon })
        yield* untilOpen(openai.ask(config))
        const started = performance.now()
        const errors = yield* crowd(50, Effect.flip(openai.ask(config)))
        assert.isBelow(performance.now() - started, 10_000)
        const unsent = errors.filter((error) => facts(error)[3] === 0)
        assert.isAtLeast(unsent.length, 45)
        for (const error of unsent) {
          assert.deepStrictEqual(facts(error), ["Connection", undefined, "no", 0])
          assert.isTrue(Failover.shouldFailOver(error))
          const left = error._tag === "RequestError" ? Duration.toMillis(error.retryAfter!) : 0
          assert.isTrue(left > 0 && left <= 1_500, `${left}`)
          assert.include(error.message, 'test-model") has not responded for')
        }
      })
    )
  )
})

describe("a circuit", () => {
  const never: ReadonlyArray<readonly [what: string, rule: Sandbox.FaultRule, options?: CommonOptions]> = [
    ["429", status(429)],
    ["400", status(400)],
    ["404", status(404)],
    ["409", status(409)],
    ["an answer that is invalid JSON", { fault: { type: "garbage", what: "json" } }],
    ["a body that is cut", { fault: { type: "resetMidBody", afterBytes: 10 } }],
    ["503 where it is turned off", status(503), { transport: { circuitFailures: false } }],
    ["a reset where it is turned off", reset, { transport: { circuitFailures: 0 } }]
  ]
  for (const [what, rule, options] of never) {
    it.live(`does not open for ${what}`, () =>
      run(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ faults: [rule] })
          const config = yield* openai.config(sandbox, { maxRetries: 0, ...soon, ...options })
          for (let i = 0; i < 12; i++) {
            yield* Effect.either(openai.ask(config))
            yield* Effect.sleep(50)
          }
          assert.strictEqual(sandbox.stats().requests, 12)
          assert.strictEqual(yield* openCircuits, 0)
        })
      )
    )
  }

  it.live("does not open while one of two answers, however long the others fail", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* openai.config(sandbox, { maxRetries: 0, ...soon })
        for (let i = 0; i < 40; i++) {
          sandbox.faults.replace(i % 5 === 4 ? [] : [status(503)])
          yield* Effect.either(openai.ask(config))
          yield* Effect.sleep(20)
        }
        assert.strictEqual(sandbox.stats().requests, 40)
        assert.strictEqual(yield* openCircuits, 0)
      })
    )
  )

  it.live("does not open for aborted requests, or for requests that waited too long for a socket", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
        const transport = { maxConnections: 1, circuitFailures: 2 }
        const config = yield* openai.config(sandbox, { transport })
        const inFlight = (count: number) =>
          eventually(
            Effect.sync(() => sandbox.stats().inFlight),
            (now) => now === count
          )
        const hasty = yield* openai.config(sandbox, { queueTimeout: 30, transport })
        for (let i = 1; i <= 8; i++) {
          const one = yield* Effect.fork(openai.ask(config))
          yield* inFlight(1)
          const error = yield* Effect.flip(openai.ask(hasty))
          assert.strictEqual(error._tag === "RequestError" && error.reason, "QueueTimeout")
          yield* Fiber.interrupt(one)
          yield* inFlight(0)
        }
        assert.strictEqual(yield* openCircuits, 0)
      })
    )
  )

  for (const size of [100, 250]) {
    it.live(`does not open when a balancer drops ${size} connections at once, and all are answered over others`, () =>
      run(
        Effect.gen(function* () {
          const asked = new Set<net.Socket>()
          let isHealthy = false
          const port = yield* listening((socket) =>
            socket.on("data", () => {
              if (isHealthy)
                socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
              else asked.add(socket)
            })
          )
          const config = yield* openai.config({
            baseURL: () => `http://127.0.0.1:${port}/v1`,
            ca: (yield* Sandbox.make()).ca
          })
          const all = yield* Effect.fork(crowd(size, Effect.either(openai.ask(config))))
          yield* eventually(
            Effect.sync(() => asked.size),
            (count) => count === size
          )
          isHealthy = true
          for (const socket of asked) socket.resetAndDestroy()
          assert.lengthOf((yield* Fiber.join(all)).filter(Either.isRight), size)
          assert.strictEqual(yield* openCircuits, 0)
        })
      )
    )
  }

  it.live("of a model is separate from another model's, and from another key's", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ ...status(503), match: { model: "down" } }] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, ...soon })
        const askFor = (model: string) =>
          openai.use(config, (client) => client.chat.completions.create({ ...question("hello"), model }))
        yield* untilOpen(askFor("down"))
        const started = performance.now()
        for (let i = 0; i < 20; i++) yield* askFor("up")
        assert.isBelow(performance.now() - started, 5_000)
        const other = yield* openai.config(sandbox, { maxRetries: 0, key: "sk-other", ...soon })
        const error = yield* Effect.flip(
          openai.use(other, (client) => client.chat.completions.create({ ...question("hello"), model: "down" }))
        )
        assert.deepStrictEqual(facts(error), ["Server", 503, "yes", 1], "asked for itself")
      })
    )
  )

  it.live("of the origin opens when three models fail, and not while one of them is answered", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ ...status(503), match: { model: /^down/ } }] })
        const transport = { circuitFailures: 12 }
        const config = yield* openai.config(sandbox, { maxRetries: 0, transport })
        const askFor = (model: string) =>
          openai.use(config, (client) => client.chat.completions.create({ ...question("hello"), model }))
        for (let i = 0; i < 24; i++) {
          yield* Effect.flip(askFor(`down-${i % 3}`))
          if (i % 4 === 3) yield* askFor("up")
          yield* Effect.sleep(20)
        }
        yield* askFor("up")
        assert.strictEqual(yield* openCircuits, 0)
        for (let i = 0; i < 12; i++) {
          yield* Effect.flip(askFor(`down-${4 + (i % 4)}`))
          yield* Effect.sleep(40)
        }
        assert.strictEqual(yield* openCircuits, 1)
        const errors = yield* crowd(5, Effect.either(askFor("down-9")))
        const messages = errors.flatMap((result) => (Either.isLeft(result) ? [result.left.message] : []))
        assert.isTrue(messages.some((message) => message.includes(`${sandbox.origin} has not responded for`)))
      })
    )
  )

  it("is a failed connection for the SDK, with ours and the time left as its cause, for a getter too", async () => {
    await using sandbox = await Sandbox.start({ faults: [reset] })
    await using clients = makeClients()
    const options = { apiKey: "sk-down", baseURL: sandbox.baseURL("openai"), maxRetries: 0, ...soon }
    const client = getOpenAIClient(options, clients)
    const asked = () => client.chat.completions.create(question("hello")).catch((error: unknown) => error)
    for (let i = 0; i < 12; i++) {
      assert.instanceOf(await asked(), APIConnectionError)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const errors = await Promise.all(Array.from({ length: 10 }, asked))
    const unsent = errors.filter((error) => error instanceof APIConnectionError && isUnsent(error.cause))
    assert.isAtLeast(unsent.length, 8)
    const stats = await clients.stats()
    assert.deepStrictEqual(
      stats.clients.map(({ openCircuits }) => openCircuits),
      [1]
    )
  })

  it.live("is logged and counted once when it opens and once when it closes", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (String(message).includes("circuit")) lines.push(`${logLevel.label} ${String(message)}`)
    })
    const counted = Effect.all(
      (["open", "closed"] as const).map((state) =>
        Effect.map(Metric.value(Metric.tagged(Telemetry.circuits, "state", state)), ({ count }) => count)
      )
    )
    return run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(502)] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, ...soon })
        const [opened, closed] = (yield* counted) as [number, number]
        yield* untilOpen(openai.ask(config))
        yield* Effect.flip(openai.ask(config))
        assert.deepStrictEqual(yield* counted, [opened + 1, closed])
        sandbox.faults.replace([])
        yield* openai.ask(config)
        yield* openai.ask(config)
        assert.deepStrictEqual(yield* counted, [opened + 1, closed + 1])
        yield* eventually(
          Effect.sync(() => lines.length),
          (length) => length === 2
        )
        const what = `${sandbox.origin} ("test-model")`
        assert.match(
          lines[0]!.replace(what, "IT"),
          /^WARN IT: circuit opened after \d+ failures without a response in between; first probe in 0\.\d s\. Last failure: status 502$/
        )
        assert.strictEqual(lines[1], `INFO ${what}: circuit closed`)
      })
    ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.live(
    "is waited for no longer than maxRetryAfter or queueTimeout, as the error reports, nor by aborted requests",
    () =>
      run(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ faults: [status(503)] })
          for (const options of [{ maxRetryAfter: 1_000 }, { queueTimeout: 1_000 }]) {
            const config = yield* openai.config(sandbox, { maxRetries: 2, ...options })
            const started = performance.now()
            const error = yield* Effect.flip(openai.ask(config))
            assert.isBelow(performance.now() - started, 8_000)
            assert.strictEqual(error._tag === "RequestError" && error.status, 503)
            assert.include(
              error.message,
              "not retried: no response to other requests, and it has waited 1.0 s because of failures"
            )
          }
          const never = yield* openai.config(sandbox, { maxRetries: 2, maxRetryAfter: 0 })
          const error = yield* Effect.flip(openai.ask(never))
          assert.strictEqual(error._tag === "RequestError" && error.processed, "no")
          const patient = yield* openai.config(sandbox, { maxRetries: 5 })
          const waiting = yield* Effect.fork(openai.ask(patient))
          yield* eventually(ClientMap.stats, ({ clients }) => clients.some(({ inFlight }) => inFlight === 1))
          yield* Effect.sleep("50 millis")
          assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(waiting)))
          yield* eventually(ClientMap.stats, ({ clients }) => clients.every(({ inFlight }) => inFlight === 0))
        })
      )
  )
})

const isUnsent = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "attempts" in cause && cause.attempts === 0
