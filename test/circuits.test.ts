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
import { afterEach, assert, vi } from "vitest"
import type { CommonOptions } from "../src/ClientConfig.ts"
import type { ClientError } from "../src/ClientError.ts"
import * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientMap from "../src/ClientMap.ts"
import * as Failover from "../src/Failover.ts"
import { makeClients } from "../src/Promise.ts"
import { getOpenAIClient } from "../src/promise/openai.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"
import { ask, question, type Subject, subjects } from "./support/providers.ts"
import { eventually } from "./support/wait.ts"

afterEach(() => vi.restoreAllMocks())

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const status = (code: number, headers: Readonly<Record<string, string>> = {}): Sandbox.FaultRule => ({
  fault: { type: "status", status: code, headers }
})

const reset: Sandbox.FaultRule = { fault: { type: "resetBeforeHeaders" } }

/** Who never waits sends nothing again, not even what can't have been sent. */
const once = { maxRetries: 0, maxRetryAfter: 0 } satisfies CommonOptions

/** Longer than any test takes. */
const long = { transport: { circuitCooldown: "1 hour" } } satisfies CommonOptions

const facts = (error: ClientError) =>
  error._tag === "RequestError" ? [error.reason, error.status, error.processed, error.attempts] : [error._tag]

/** So often, one after the other, and what each failed with. */
const fail = <R>(ask: Effect.Effect<unknown, ClientError, R>, times: number) =>
  Effect.map(Effect.replicateEffect(Effect.flip(ask), times), (errors) => errors.map(facts))

const openCircuits = Effect.map(ClientMap.stats, ({ clients }) => clients[0]?.openCircuits)

const run = <A, E>(effect: Effect.Effect<A, E, ClientMap.ClientMap | Scope.Scope>) =>
  effect.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

describe("a provider that is down", () => {
  for (const [name, protocol] of [
    ["HTTP/1.1", "http/1.1"],
    ["HTTP/2", "h2"]
  ] as const) {
    it.live(`by resets over ${name} is asked five times, and then not until a probe goes`, () =>
      run(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ tls: true, protocol, faults: [reset] })
          const config = yield* openai.config(sandbox, { maxRetries: 0, ...long })
          assert.deepStrictEqual(
            yield* fail(openai.ask(config), 5),
            Array.from({ length: 5 }, () => ["Connection", undefined, "maybe", 1])
          )
          assert.strictEqual(yield* openCircuits, 1)
          const error = yield* Effect.flip(openai.ask(config))
          assert.deepStrictEqual(facts(error), ["Connection", undefined, "no", 0])
          assert.isTrue(Failover.shouldFailOver(error))
          const left = error._tag === "RequestError" ? Duration.toMillis(error.retryAfter!) : 0
          assert.isTrue(left > 3_500_000 && left <= 3_600_000, `${left}`)
          assert.include(error.message, 'POST /v1/chat/completions of "test-model"')
          assert.strictEqual(sandbox.stats().requests, 5)
        })
      )
    )
  }

  it.live("by 503 is let through once after each cooldown, and closes with the first success, whoever has it", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(503)] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, transport: { circuitCooldown: "1 second" } })
        yield* fail(openai.ask(config), 5)
        assert.deepStrictEqual(yield* fail(openai.ask(config), 1), [["Connection", undefined, "no", 0]])
        yield* Effect.sleep(1_050)
        // The probe, and one behind it.
        assert.deepStrictEqual(yield* fail(openai.ask(config), 2), [
          ["Server", 503, "yes", 1],
          ["Connection", undefined, "no", 0]
        ])
        assert.strictEqual(sandbox.stats().requests, 6)
        sandbox.faults.replace([])
        yield* Effect.sleep(1_050)
        for (let i = 0; i < 10; i++) assert.notStrictEqual(yield* openai.ask(config), "")
        assert.strictEqual(yield* openCircuits, 0)
      })
    )
  )

  it.live("by silence fails five in time, and the next at once", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, timeout: 200, ...long })
        // Together: each of them has waited for all of its time.
        const five = yield* Effect.all(
          Array.from({ length: 5 }, () => Effect.flip(openai.ask(config))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          five.map(facts),
          five.map(() => ["Timeout", undefined, "maybe", 1])
        )
        assert.deepStrictEqual(yield* fail(openai.ask(config), 1), [["Connection", undefined, "no", 0]])
        // Who waits longer may have better luck.
        sandbox.faults.replace([])
        const patient = yield* openai.config(sandbox, { maxRetries: 0, timeout: 20_000, ...long })
        assert.notStrictEqual(yield* openai.ask(patient), "")
      })
    )
  )

  it.live("by refusing connections holds back whatever is asked of it, and serves all when it is back", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const { port } = sandbox
        yield* Effect.promise(sandbox.close)
        const config = yield* openai.config(sandbox, { ...once, transport: { circuitCooldown: "1 second" } })
        const all = yield* fail(openai.ask(config), 5)
        assert.deepStrictEqual(
          all,
          Array.from({ length: 5 }, () => ["Connection", undefined, "no", 1])
        )
        const models = openai.use(config, (client) => ask(client, "another"))
        assert.deepStrictEqual(yield* fail(models, 1), [["Connection", undefined, "no", 0]])
        const again = yield* Sandbox.make({ port })
        // With retries they wait.
        const patient = yield* openai.config(sandbox, { transport: { circuitCooldown: "1 second" } })
        const answers = yield* Effect.all(
          Array.from({ length: 50 }, () => openai.ask(patient)),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(answers, 50)
        assert.strictEqual(again.stats().requests, 50)
      })
    )
  )

  it.live("by a TLS handshake that never ends is dialled no more, once that took too long five times", () =>
    run(
      Effect.gen(function* () {
        let dials = 0
        const open = new Set<net.Socket>()
        const server = net.createServer((socket) => {
          dials++
          open.add(socket)
          socket.on("error", () => undefined)
        })
        yield* Effect.acquireRelease(
          Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
          () =>
            Effect.promise(
              () =>
                new Promise<void>((resolve) => {
                  server.close(() => resolve())
                  for (const socket of open) socket.destroy()
                })
            )
        )
        const { port } = server.address() as net.AddressInfo
        const config = yield* openai.config(
          { baseURL: () => `https://127.0.0.1:${port}`, ca: (yield* Sandbox.make()).ca },
          { ...once, transport: { connectTimeout: 200, circuitCooldown: "1 hour" } }
        )
        assert.deepStrictEqual(yield* fail(openai.ask(config), 6), [
          ...Array.from({ length: 5 }, () => ["Timeout", undefined, "no", 1]),
          ["Connection", undefined, "no", 0]
        ])
        assert.isAtMost(dials, 5)
      })
    )
  )

  it.live("costs a job that may wait nothing but time: one probe, and then no herd", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: "20 millis", faults: [status(503)] })
        const transport = { circuitCooldown: 4_000 }
        yield* fail(openai.ask(yield* openai.config(sandbox, { maxRetries: 0, transport })), 5)
        const config = yield* openai.config(sandbox, { transport })
        const agents = yield* Effect.fork(
          Effect.forEach(Array.from({ length: 200 }), () => openai.ask(config), { concurrency: 100 })
        )
        yield* eventually(ClientMap.stats, ({ clients }) => clients.some(({ inFlight }) => inFlight === 100))
        sandbox.faults.replace([])
        assert.lengthOf(yield* Fiber.join(agents), 200)
        const { log, requests } = sandbox.stats()
        assert.strictEqual(requests, 205)
        // Each answer brings three: two of those who wait, and the next that its agent asks. One more is for a slow machine.
        const later = log.slice(5)
        const ends = later.map(({ arrived, duration }) => arrived + duration).toSorted((a, b) => a - b)
        for (const answered of [0, 1, 4, 13]) {
          const arrived = later.filter((one) => one.arrived < ends[answered]!).length
          assert.isAtMost(arrived, 1 + 3 * answered + (answered > 0 ? 1 : 0), `while ${answered} had been answered`)
        }
      })
    )
  )

  for (const [name, protocol] of [
    ["HTTP/1.1", "http/1.1"],
    ["HTTP/2", "h2"]
  ] as const) {
    it.live(`by silence over ${name} fails who waits for a connection at once and unsent when its circuit opens`, () =>
      run(
        Effect.gen(function* () {
          const stall: Sandbox.FaultRule = { fault: { type: "stall", at: "headers" } }
          const sandbox = yield* Sandbox.make({ tls: true, protocol, maxStreams: 1, faults: [stall] })
          const transport = { maxConnections: 1, circuitCooldown: 1_500 }
          const config = yield* openai.config(sandbox, { maxRetries: 0, timeout: 600, transport })
          const all = yield* Effect.all(
            Array.from({ length: 12 }, () => Effect.flip(openai.ask(config))),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(all.map(facts), [
            ...Array.from({ length: 5 }, () => ["Timeout", undefined, "maybe", 1]),
            ...Array.from({ length: 7 }, () => ["Connection", undefined, "no", 0])
          ])
          sandbox.faults.replace([])
          yield* Effect.sleep(1_550)
          const later = yield* Effect.all(
            Array.from({ length: 12 }, () => Effect.either(openai.ask(config))),
            { concurrency: "unbounded" }
          )
          assert.lengthOf(later.filter(Either.isRight), 1, "one probe")
          assert.strictEqual(sandbox.stats().requests, 6)
          yield* Effect.replicateEffect(openai.ask(config), 12)
        })
      )
    )
  }
})

describe("a circuit", () => {
  const never: ReadonlyArray<readonly [what: string, rule: Sandbox.FaultRule, options?: CommonOptions]> = [
    ["429", status(429)],
    ["500", status(500)],
    ["501", status(501)],
    ["400", status(400)],
    ["404", status(404)],
    ["408", status(408)],
    ["409", status(409)],
    ["503 that says when to come back", status(503, { "retry-after": "0" })],
    ["an answer that is no JSON", { fault: { type: "garbage", what: "json" } }],
    ["a body that is cut", { fault: { type: "resetMidBody", afterBytes: 10 } }],
    ["503 where it is turned off", status(503), { transport: { circuitFailures: false } }],
    ["a reset where it is turned off", reset, { transport: { circuitFailures: 0 } }]
  ]
  for (const [what, rule, options] of never) {
    it.live(`does not open for ${what}`, () =>
      run(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({ faults: [rule] })
          const config = yield* openai.config(sandbox, { maxRetries: 0, ...options })
          yield* Effect.replicateEffect(Effect.either(openai.ask(config)), 12)
          assert.strictEqual(sandbox.stats().requests, 12)
          assert.strictEqual(yield* openCircuits, 0)
        })
      )
    )
  }

  it.live("does not open for requests that their callers gave up, or that waited too long for a socket", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ fault: { type: "stall", at: "headers" } }] })
        const transport = { maxConnections: 1 }
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

  it.live("does not open when a balancer drops fifty connections at once", () =>
    run(
      Effect.gen(function* () {
        const sockets = new Set<net.Socket>()
        let healthy = false
        const server = net.createServer((socket) => {
          socket.on("error", () => undefined)
          socket.on("close", () => sockets.delete(socket))
          socket.on("data", () => {
            if (healthy)
              socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            else sockets.add(socket)
          })
        })
        yield* Effect.acquireRelease(
          Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
          () => Effect.promise(() => new Promise<void>((resolve) => void server.close(() => resolve())))
        )
        const { port } = server.address() as net.AddressInfo
        const config = yield* openai.config(
          { baseURL: () => `http://127.0.0.1:${port}/v1`, ca: (yield* Sandbox.make()).ca },
          { maxRetries: 0, ...long }
        )
        const all = yield* Effect.fork(
          Effect.all(
            Array.from({ length: 50 }, () => Effect.either(openai.ask(config))),
            { concurrency: "unbounded" }
          )
        )
        yield* eventually(
          Effect.sync(() => sockets.size),
          (size) => size === 50
        )
        healthy = true
        for (const socket of sockets) socket.resetAndDestroy()
        assert.lengthOf((yield* Fiber.join(all)).filter(Either.isLeft), 50)
        assert.strictEqual(yield* openCircuits, 0)
        yield* openai.ask(config)
      })
    )
  )

  it.live("of a model says nothing of another, and a request that always fails is one failure", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ ...status(503), match: { model: "down" } }] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, ...long })
        const askFor = (model: string) =>
          openai.use(config, (client) => client.chat.completions.create({ ...question("hello"), model }))
        for (let i = 0; i < 5; i++) {
          yield* Effect.flip(askFor("down"))
          yield* askFor("up")
        }
        assert.deepStrictEqual(yield* fail(askFor("down"), 1), [["Connection", undefined, "no", 0]])
        yield* askFor("up")
        sandbox.faults.replace([{ ...status(503), match: { model: "odd" } }])
        // No pauses between attempts.
        vi.spyOn(Math, "random").mockReturnValue(0)
        const stubborn = yield* openai.config(sandbox, { maxRetries: 6, ...long })
        const error = yield* Effect.flip(
          openai.use(stubborn, (client) => client.chat.completions.create({ ...question("hello"), model: "odd" }))
        )
        assert.deepStrictEqual(facts(error), ["Server", 503, "yes", 7])
      })
    )
  )

  it.live("of the origin opens when five models fail one after another, and not while one of them is answered", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [{ ...status(503), match: { model: /^down/ } }] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, ...long })
        const askFor = (model: string) =>
          openai.use(config, (client) => client.chat.completions.create({ ...question("hello"), model }))
        for (let i = 1; i <= 4; i++) {
          yield* Effect.flip(askFor(`down-${i}`))
          yield* Effect.flip(askFor(`down-${i}`))
        }
        yield* askFor("up")
        for (let i = 5; i <= 9; i++) yield* Effect.flip(askFor(`down-${i}`))
        assert.strictEqual(yield* openCircuits, 1)
        const error = yield* Effect.flip(askFor("up"))
        assert.deepStrictEqual(facts(error), ["Connection", undefined, "no", 0])
        assert.include(error.message, `requests to ${sandbox.origin} fail`)
        assert.strictEqual(sandbox.stats().requests, 14)
      })
    )
  )

  it("is to the SDK a connection that failed, with what is left as ours in its cause, for a getter too", async () => {
    await using sandbox = await Sandbox.start({ faults: [reset] })
    await using clients = makeClients()
    const client = getOpenAIClient({ apiKey: "sk-down", baseURL: sandbox.baseURL("openai"), maxRetries: 0 }, clients)
    const asked = () => client.chat.completions.create(question("hello")).catch((error: unknown) => error)
    for (let i = 0; i < 5; i++) assert.instanceOf(await asked(), APIConnectionError)
    const error = await asked()
    assert.instanceOf(error, APIConnectionError)
    assert.deepInclude(error.cause, { _tag: "RequestError", reason: "Connection", processed: "no", attempts: 0 })
    assert.strictEqual(sandbox.stats().requests, 5)
    const stats = await clients.stats()
    assert.deepStrictEqual(
      stats.clients.map(({ openCircuits }) => openCircuits),
      [1]
    )
  })

  it.live("is told of in the log and in a metric, once when it opens and once when it closes", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (/\d failed|requests in a row|answered/.test(String(message)))
        lines.push(`${logLevel.label} ${String(message)}`)
    })
    const counted = Effect.all(
      (["open", "closed"] as const).map((state) =>
        Effect.map(Metric.value(Metric.tagged(Telemetry.circuits, "state", state)), ({ count }) => count)
      )
    )
    return run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(502)] })
        const config = yield* openai.config(sandbox, { maxRetries: 0, transport: { circuitCooldown: "300 millis" } })
        const [opened, closed] = (yield* counted) as [number, number]
        yield* fail(openai.ask(config), 8)
        assert.deepStrictEqual(yield* counted, [opened + 1, closed])
        sandbox.faults.replace([])
        yield* Effect.sleep("350 millis")
        yield* openai.ask(config)
        yield* openai.ask(config)
        assert.deepStrictEqual(yield* counted, [opened + 1, closed + 1])
        yield* eventually(
          Effect.sync(() => lines.length),
          (length) => length === 2
        )
        const what = `${sandbox.origin} (POST /v1/chat/completions of "test-model")`
        assert.deepStrictEqual(lines, [
          `WARN ${what}: 5 requests in a row failed, so no more are sent. After 0.3 s one goes to see whether that has ` +
            "changed. The last failure: it answers with status 502",
          `INFO ${what}: a request was answered, so requests are sent again`
        ])
      })
    ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.live("is not waited for longer than maxRetryAfter or queueTimeout, nor by whom its caller has given up", () =>
    run(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ faults: [status(503)] })
        const transport = { circuitCooldown: 50_000 }
        const config = yield* openai.config(sandbox, { maxRetries: 0, transport })
        yield* fail(openai.ask(config), 5)
        for (const options of [{ maxRetryAfter: 0 }, { maxRetryAfter: 40_000 }, { queueTimeout: 40_000 }]) {
          const other = yield* openai.config(sandbox, { maxRetries: 5, transport, ...options })
          assert.deepStrictEqual(yield* fail(openai.ask(other), 1), [["Connection", undefined, "no", 0]])
        }
        const patient = yield* openai.config(sandbox, { maxRetries: 5, transport })
        const waiting = yield* Effect.fork(openai.ask(patient))
        yield* eventually(ClientMap.stats, ({ clients }) => clients.some(({ inFlight }) => inFlight === 1))
        yield* Effect.sleep("50 millis")
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(waiting)))
        yield* eventually(ClientMap.stats, ({ clients }) => clients.every(({ inFlight }) => inFlight === 0))
        assert.strictEqual(sandbox.stats().requests, 5)
      })
    )
  )
})
